//! iceoryx2 behind the functions that `bench/peers/iceoryx2.cpp` calls: one direction from a
//! sending process to a receiving one. Shared memory that is lent and read where it lies, without
//! a daemon; who sleeps is woken by an event of its own.

use core::fmt::Debug;
use core::mem::MaybeUninit;
use std::ffi::{c_char, CStr};

use iceoryx2::port::{
    listener::Listener, notifier::Notifier, publisher::Publisher, subscriber::Subscriber,
};
use iceoryx2::prelude::*;
use iceoryx2::service::port_factory::publish_subscribe::PortFactory as Topic;

/// What the bench calls a payload: six words.
#[repr(C)]
#[derive(Debug, ZeroCopySend)]
struct Message {
    words: [u64; 6],
}

const PIXELS: usize = 1920 * 1080 * 3 - 8;

/// A picture of which only the number is written and read.
#[repr(C)]
#[derive(Debug, ZeroCopySend)]
struct Picture {
    number: u64,
    pixels: [u8; PIXELS],
}

trait Content: Debug + ZeroCopySend + Sized + 'static {
    fn fill(into: &mut MaybeUninit<Self>, round: u64);
    fn is(&self, round: u64) -> bool;
}

impl Content for Message {
    fn fill(into: &mut MaybeUninit<Self>, round: u64) {
        let words = core::array::from_fn(|i| round + i as u64);
        into.write(Message { words });
    }
    fn is(&self, round: u64) -> bool {
        let wrong = |(i, word)| word ^ (round + i as u64);
        self.words
            .iter()
            .enumerate()
            .map(wrong)
            .fold(0, |all, one| all | one)
            == 0
    }
}

impl Content for Picture {
    fn fill(into: &mut MaybeUninit<Self>, round: u64) {
        // The pixels stay as they are: any bytes are pixels.
        unsafe { (&raw mut (*into.as_mut_ptr()).number).write(round) };
    }
    fn is(&self, round: u64) -> bool {
        self.number == round
    }
}

/// How the bench wants a link to work.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct Plan {
    /// The receiver sleeps until it is woken.
    blocking: bool,
    /// Messages are pictures.
    frame: bool,
    /// Subscribers may miss messages, and do not hold the sender up.
    publishes: bool,
    /// How many messages a subscriber's queue holds.
    depth: usize,
}

trait End {
    fn await_receiver(&self);
    fn send(&mut self, round: u64);
    fn receive(&mut self, round: u64);
    fn took_any(&mut self) -> bool;
}

/// One end of a link. The node must outlive what it made.
struct Ports<T: Content> {
    out: Option<Publisher<ipc::Service, T, ()>>,
    inward: Option<Subscriber<ipc::Service, T, ()>>,
    notifier: Option<Notifier<ipc::Service>>,
    listener: Option<Listener<ipc::Service>>,
    service: Topic<ipc::Service, T, ()>,
    _node: Node<ipc::Service>,
}

impl<T: Content> Ports<T> {
    fn open(plan: Plan, tag: &str, sends: bool) -> Self {
        set_log_level(LogLevel::Error);
        // Everything is named by the tag, so that the bench finds and removes what is left.
        let mut config = Config::default();
        config.global.prefix = FileName::new(tag.as_bytes()).expect("a prefix");
        let root = format!("/dev/shm/{tag}");
        config
            .global
            .set_root_path(&Path::new(root.as_bytes()).expect("a path"));
        let node = NodeBuilder::new()
            .config(&config)
            .signal_handling_mode(SignalHandlingMode::Disabled)
            .create::<ipc::Service>()
            .expect("a node");
        let name: ServiceName = tag.try_into().expect("a name");
        let service = node
            .service_builder(&name)
            .publish_subscribe::<T>()
            .enable_safe_overflow(plan.publishes)
            .subscriber_max_buffer_size(plan.depth)
            .max_subscribers(64)
            .max_nodes(80)
            .open_or_create()
            .expect("a service");
        let strategy = if plan.publishes {
            BackpressureStrategy::DiscardData
        } else {
            BackpressureStrategy::RetryUntilDelivered
        };
        let publisher = || {
            service
                .publisher_builder()
                .backpressure_strategy(strategy)
                .create()
        };
        let subscriber = || service.subscriber_builder().create();
        let event = plan.blocking.then(|| {
            node.service_builder(&name)
                .event()
                .open_or_create()
                .expect("an event")
        });
        let notifier = event.as_ref().filter(|_| sends);
        let listener = event.as_ref().filter(|_| !sends);
        Ports {
            out: sends.then(|| publisher().expect("a publisher")),
            inward: (!sends).then(|| subscriber().expect("a subscriber")),
            notifier: notifier.map(|e| e.notifier_builder().create().expect("a notifier")),
            listener: listener.map(|e| e.listener_builder().create().expect("a listener")),
            service,
            _node: node,
        }
    }
}

impl<T: Content> End for Ports<T> {
    fn await_receiver(&self) {
        while self.service.dynamic_config().number_of_subscribers() == 0 {}
    }
    fn send(&mut self, round: u64) {
        let mut loan = self
            .out
            .as_ref()
            .expect("a sender")
            .loan_uninit()
            .expect("a loan");
        T::fill(loan.payload_mut(), round);
        unsafe { loan.assume_init() }
            .send()
            .expect("a message sent");
        if let Some(notifier) = &self.notifier {
            notifier.notify().expect("a notification");
        }
    }
    fn receive(&mut self, round: u64) {
        let inward = self.inward.as_ref().expect("a receiver");
        loop {
            if let Some(sample) = inward.receive().expect("a sample") {
                assert!(
                    sample.payload().is(round),
                    "message {round} arrived damaged"
                );
                return;
            }
            if let Some(listener) = &self.listener {
                listener.blocking_wait(|_| {}).expect("a wait");
            }
        }
    }
    fn took_any(&mut self) -> bool {
        let inward = self.inward.as_ref().expect("a receiver");
        inward.receive().expect("a sample").is_some()
    }
}

/// Opaque to C++.
pub struct Link(Box<dyn End>);

/// Opens one end and never closes it: the process ends first.
///
/// # Safety
///
/// `tag` is a string that ends in NUL.
#[no_mangle]
pub unsafe extern "C" fn peer_iceoryx2_open(
    plan: Plan,
    tag: *const c_char,
    sends: bool,
) -> *mut Link {
    let tag = unsafe { CStr::from_ptr(tag) }
        .to_str()
        .expect("a tag in UTF-8");
    let end: Box<dyn End> = if plan.frame {
        Box::new(Ports::<Picture>::open(plan, tag, sends))
    } else {
        Box::new(Ports::<Message>::open(plan, tag, sends))
    };
    Box::into_raw(Box::new(Link(end)))
}

/// # Safety
///
/// `link` is what `peer_iceoryx2_open` answered for a sender.
#[no_mangle]
pub unsafe extern "C" fn peer_iceoryx2_await_receiver(link: *mut Link) {
    unsafe { &mut *link }.0.await_receiver();
}

/// # Safety
///
/// `link` is what `peer_iceoryx2_open` answered for a sender.
#[no_mangle]
pub unsafe extern "C" fn peer_iceoryx2_send(link: *mut Link, round: u64) {
    unsafe { &mut *link }.0.send(round);
}

/// # Safety
///
/// `link` is what `peer_iceoryx2_open` answered for a receiver.
#[no_mangle]
pub unsafe extern "C" fn peer_iceoryx2_receive(link: *mut Link, round: u64) {
    unsafe { &mut *link }.0.receive(round);
}

/// # Safety
///
/// `link` is what `peer_iceoryx2_open` answered for a receiver.
#[no_mangle]
pub unsafe extern "C" fn peer_iceoryx2_took_any(link: *mut Link) -> bool {
    unsafe { &mut *link }.0.took_any()
}
