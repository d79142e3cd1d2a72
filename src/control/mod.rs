//! The local protocol: typed requests and answers shared by the command line and the web service.
