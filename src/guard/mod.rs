//! Self-fencing (S8): the protocol with `safeguard`, and the control groups of modules.
