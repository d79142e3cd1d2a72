mod acts;
mod behind;
mod files;
mod limits;
mod moved;
mod plans;
mod rounds;
mod world;
