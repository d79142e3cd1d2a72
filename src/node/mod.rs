//! What this node holds: installed modules, their ids, keys, configurations and boot settings.
