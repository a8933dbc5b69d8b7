//! The thread that a model runs on. Calls take turns batch by batch, so that a
//! question does not wait for a whole index; a call that nobody waits for any
//! more ends with the batch under way.

use std::{collections::VecDeque, sync::mpsc, thread};

use tokio::sync::oneshot;

use crate::{
    Error,
    batch::batches,
    tokens::{Text, Tokens},
};

/// What the thread runs.
pub(crate) trait Runs: Send + 'static {
    /// Cuts a text into tokens.
    fn read(&self, text: &Text) -> Result<Tokens, Error>;
    /// One row for each text.
    fn run(&mut self, texts: &[&Tokens]) -> Result<Vec<Vec<f32>>, Error>;
}

/// One call.
#[derive(Debug)]
struct Call {
    texts: Vec<Text>,
    reply: oneshot::Sender<Result<Answer, Error>>,
}

/// What became of a call.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Answer {
    /// One row for each text, in order.
    pub(crate) rows: Vec<Vec<f32>>,
    /// Texts that were longer than the window.
    pub(crate) cut: usize,
}

/// Handle of the thread; the thread ends with the last one.
#[derive(Debug, Clone)]
pub(crate) struct Worker {
    calls: mpsc::Sender<Call>,
}

impl Worker {
    /// Starts the thread. `texts_per_batch` bounds how long a call that was
    /// given up goes on.
    pub(crate) fn start(model: impl Runs, texts_per_batch: usize) -> Result<Self, Error> {
        let (calls, inbox) = mpsc::channel();
        let mut queue = Queue {
            model,
            texts_per_batch,
            work: VecDeque::new(),
        };
        thread::Builder::new()
            .name("inference".to_owned())
            .spawn(move || while queue.step(&inbox) {})
            .map_err(|error| Error::failed(error.to_string()))?;
        Ok(Self { calls })
    }

    pub(crate) async fn ask(&self, texts: Vec<Text>) -> Result<Answer, Error> {
        let stopped = || Error::failed("its thread has ended");
        let (reply, answer) = oneshot::channel();
        self.calls
            .send(Call { texts, reply })
            .map_err(|_nobody_listens| stopped())?;
        answer.await.map_err(|_nobody_answers| stopped())?
    }
}

/// A call under way.
struct Work {
    texts: Vec<Tokens>,
    left: VecDeque<Vec<usize>>,
    rows: Vec<Vec<f32>>,
    reply: oneshot::Sender<Result<Answer, Error>>,
}

/// The calls under way, the next one first.
struct Queue<M> {
    model: M,
    texts_per_batch: usize,
    work: VecDeque<Work>,
}

impl<M: Runs> Queue<M> {
    /// Takes in what has come and runs one batch; waits if there is nothing to
    /// do. `false` when nobody can ask any more and all is done.
    fn step(&mut self, inbox: &mpsc::Receiver<Call>) -> bool {
        if self.work.is_empty() {
            match inbox.recv() {
                Ok(call) => self.admit(call),
                Err(_no_handle_is_left) => return false,
            }
        }
        while let Ok(call) = inbox.try_recv() {
            self.admit(call);
        }
        if let Some(work) = self.work.pop_front() {
            let more = self.advance(work);
            self.work.extend(more);
        }
        true
    }

    /// Tokenizes a call; one that cannot be is answered at once.
    fn admit(&mut self, call: Call) {
        let Call { texts, reply } = call;
        let tokens: Result<Vec<Tokens>, Error> = texts.iter().map(|text| self.model.read(text)).collect();
        match tokens {
            Ok(texts) => self.work.push_back(Work {
                left: batches(&texts, self.texts_per_batch).into(),
                rows: vec![Vec::new(); texts.len()],
                texts,
                reply,
            }),
            Err(error) => {
                // Nobody may be waiting any more.
                let _unheard = reply.send(Err(error));
            }
        }
    }

    /// Runs one batch; the work comes back if there is more to do.
    fn advance(&mut self, mut work: Work) -> Option<Work> {
        if work.reply.is_closed() {
            return None;
        }
        if let Some(batch) = work.left.pop_front() {
            let texts: Vec<&Tokens> = batch.iter().map(|place| &work.texts[*place]).collect();
            match self.model.run(&texts) {
                Ok(rows) => {
                    for (place, row) in batch.into_iter().zip(rows) {
                        work.rows[place] = row;
                    }
                }
                Err(error) => {
                    let _unheard = work.reply.send(Err(error));
                    return None;
                }
            }
        }
        if !work.left.is_empty() {
            return Some(work);
        }
        let cut = work.texts.iter().filter(|text| text.cut).count();
        let _unheard = work.reply.send(Ok(Answer { rows: work.rows, cut }));
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Answers with the length of a text, and counts what it ran.
    struct Lengths {
        ran: usize,
    }

    impl Runs for Lengths {
        fn read(&self, text: &Text) -> Result<Tokens, Error> {
            match text {
                Text::One(text) => Ok(Tokens {
                    ids: vec![0; text.len()],
                    kinds: vec![0; text.len()],
                    cut: text.len() > 3,
                }),
                Text::Pair(..) => Err(Error::failed("no pairs")),
            }
        }

        fn run(&mut self, texts: &[&Tokens]) -> Result<Vec<Vec<f32>>, Error> {
            self.ran += texts.len();
            Ok(texts.iter().map(|text| vec![text.len() as f32]).collect())
        }
    }

    type Reply = oneshot::Receiver<Result<Answer, Error>>;

    fn call(inbox: &mpsc::Sender<Call>, texts: Vec<Text>) -> Reply {
        let (reply, answer) = oneshot::channel();
        inbox.send(Call { texts, reply }).unwrap();
        answer
    }

    fn ones(texts: &[&str]) -> Vec<Text> {
        texts.iter().map(|text| Text::One((*text).to_owned())).collect()
    }

    fn queue() -> Queue<Lengths> {
        Queue {
            model: Lengths { ran: 0 },
            texts_per_batch: 2,
            work: VecDeque::new(),
        }
    }

    #[test]
    fn answers_come_in_the_order_of_the_texts_and_cuts_are_counted() {
        let (mut queue, (send, inbox)) = (queue(), mpsc::channel());
        let mut answer = call(&send, ones(&["a", "abcd", "ab", "abc", "abcde"]));
        drop(send);
        while queue.step(&inbox) {}
        let rows = [1.0, 4.0, 2.0, 3.0, 5.0].map(|row| vec![row]).to_vec();
        assert_eq!(answer.try_recv().unwrap(), Ok(Answer { rows, cut: 2 }));
    }

    #[test]
    fn a_question_does_not_wait_for_an_index() {
        let (mut queue, (send, inbox)) = (queue(), mpsc::channel());
        let mut index = call(&send, ones(&["a"; 100]));
        queue.step(&inbox);
        let mut question = call(&send, ones(&["ab"]));
        queue.step(&inbox);
        queue.step(&inbox);
        assert!(question.try_recv().is_ok());
        assert!(index.try_recv().is_err());
    }

    #[test]
    fn work_that_nobody_waits_for_is_not_done() {
        let (mut queue, (send, inbox)) = (queue(), mpsc::channel());
        let index = call(&send, ones(&["a"; 100]));
        queue.step(&inbox);
        drop(index);
        queue.step(&inbox);
        assert!(queue.work.is_empty());
        assert_eq!(queue.model.ran, 2);
    }

    #[test]
    fn what_cannot_be_read_is_answered_and_the_rest_goes_on() {
        let (mut queue, (send, inbox)) = (queue(), mpsc::channel());
        let mut wrong = call(&send, vec![Text::Pair("q".into(), "t".to_owned())]);
        let mut nothing = call(&send, Vec::new());
        drop(send);
        while queue.step(&inbox) {}
        assert_eq!(wrong.try_recv().unwrap(), Err(Error::failed("no pairs")));
        let none = Answer {
            rows: Vec::new(),
            cut: 0,
        };
        assert_eq!(nothing.try_recv().unwrap(), Ok(none));
    }
}
