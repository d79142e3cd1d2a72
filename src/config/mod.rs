//! Configuration files: XML -> raw elements with lines -> checked types -> plan.
