//! Answerer: what other daemons ask about channels of this one, answered as on the routes.

use actix::{Actor, AsyncContext, Context, Handler, WrapFuture};
use actix_web::web;
use sattva_actors::fleet::{Asked, letter::Said};

use super::{Front, streams};

pub struct Answerer(pub web::Data<Front>);

impl Actor for Answerer {
    type Context = Context<Self>;
}

impl Handler<Asked> for Answerer {
    type Result = ();

    fn handle(&mut self, Asked { channel, question, reply }: Asked, ctx: &mut Self::Context) {
        let front = self.0.clone();
        let answered = async move {
            let said = match streams::answer(&front, channel, question).await {
                Ok(body) => Said { status: 200, retry_after: None, body: body.to_string() },
                Err(problem) => problem.said(),
            };
            // Whoever asked may have gone.
            let _ = reply.send(said);
        };
        ctx.spawn(answered.into_actor(self));
    }
}
