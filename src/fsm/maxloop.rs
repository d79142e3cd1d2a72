//! The loop counter (ST-60 to ST-65).
