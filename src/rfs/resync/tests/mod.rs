mod acts;
mod files;
mod limits;
mod plans;
mod rounds;
mod world;
