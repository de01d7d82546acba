/* registry.pml: who is there, who has ended, and when a file may go; as src/topic/directory.cpp
 * (reap, everyone_met), publisher_core.cpp (open, close) and subscriber_core.cpp (join, refresh,
 * take, finish, leave) do. One atomic step is one system call or one access to shared memory; open
 * and the question who lives are one, because death is for ever and unlink() asks for the name.
 *
 *   step in the model      in the source
 *   publisher              PublisherCore::open, publish, ~PublisherCore
 *   everyone_met           TopicDirectory::everyone_met
 *   reap                   TopicDirectory::reap, with even_if_unmet = false
 *   refresh                SubscriberCore::refresh, forget_vanished, link, begin_cursor
 *   subscriber             SubscriberCore::open, join; take_in_turn and finish; look_for_the_dead
 *                          (the look that comes every 100 ms is a step that is always allowed);
 *                          ~SubscriberCore, ~SubscriberPresence
 *   reaper                 TopicDirectory::reap_all, by two who come by at once
 *   killer                 kill -9 at any step: the process stops for ever, its locks fall
 *
 * Properties: nobody alive loses his file; no message of an ended or dead publisher goes before
 * each subscriber that lives, and was ready when it was published, has met the publisher; each of
 * those takes it (pan finds one that waits for ever); recovery may be repeated, done by two at once
 * and killed at each step; in the end nothing of the dead is left.
 *
 * Seeded bugs: BUG_REAP_UNMET, BUG_CLOSE_UNMET, BUG_LINK_BEFORE_LOCK, BUG_EPOCH_AFTER_LOOK,
 * BUG_ALIVE_BY_STAGE, BUG_LOOKED_LATE.
 */
#ifndef SUBSCRIBERS
#define SUBSCRIBERS 2
#endif
#ifndef REAPERS
#define REAPERS 1
#endif
#ifndef CRASHES
#define CRASHES 1
#endif
#define PUBLISHER SUBSCRIBERS
#define FILES (SUBSCRIBERS + 1) /* files 0.. are the subscribers', the last is the publisher's */
#define FIRST_REAPER FILES
#define FINAL (FILES + REAPERS)
#define BIT(i) (1 << (i))
#define ACTORS (FINAL + 1)
#define ALL_BUT_FINAL (BIT(FINAL) - 1)

byte named;             /* files that have a name */
byte life[FILES];       /* who + 1 holds the lock of the file */
byte inside;            /* who is alive, has a name and has not begun to close */
byte ready, met;        /* subscribers' pages: stage, cursor of the publisher */
byte epoch;
bit published, closed;
byte promised;          /* subscribers that were ready when the message was published */
byte killed, ended;

inline unlink(i) {
  atomic {
    if
    :: named & BIT(i) ->
      assert(!(inside & BIT(i)));
      if
      :: i == PUBLISHER && published ->
        assert((promised & ready & ~killed & ~met) == 0)
      :: else
      fi;
      named = named & ~BIT(i)
    :: else
    fi
  }
}

/* The next file of a subscriber that is there to be opened, or SUBSCRIBERS. */
inline open_next_subscriber() {
  do
  :: s < SUBSCRIBERS && !(seen & named & BIT(s)) -> s++
  :: else -> break
  od
}

/* Sets `all`: has every living, ready subscriber a cursor for the publisher? */
inline everyone_met() {
  atomic { all = 1; s = 0; seen = named; open_next_subscriber() }; /* participants */
  do
  :: atomic { s == SUBSCRIBERS || !all -> s = 0; seen = 0; break }
  :: atomic { s < SUBSCRIBERS && all && life[s] == 0 -> s++; open_next_subscriber() }
  :: atomic { s < SUBSCRIBERS && all && life[s] != 0 }; /* is_alive */
    if
    :: atomic { !(ready & BIT(s)) -> s++; open_next_subscriber() } /* stage */
    :: ready & BIT(s) ->
      atomic { /* cursors */
        all = ((met & BIT(s)) != 0);
        s++;
        open_next_subscriber()
      }
    fi
  od
}

/* One file, if it is there to be opened. */
inline reap(i) {
  if
  :: atomic { (named & BIT(i)) && life[i] == 0 -> all = 1 } /* is_alive */
#ifndef BUG_REAP_UNMET
    if
    :: i == PUBLISHER -> everyone_met()
    :: i != PUBLISHER
    fi;
#endif
    if
    :: all -> unlink(i)
    :: !all
    fi;
    all = 0
  :: !(named & BIT(i)) || life[i] != 0
  fi
}

proctype publisher() {
  byte me = PUBLISHER, s, seen;
  bit all;
  {
#ifdef BUG_LINK_BEFORE_LOCK
    atomic { named = named | BIT(me); inside = inside | BIT(me) };
    atomic { life[me] == 0 -> life[me] = me + 1 };
#else
    atomic { life[me] = me + 1 };
    atomic { named = named | BIT(me); inside = inside | BIT(me) };
#endif
    atomic { epoch++ };
    atomic { published = 1; promised = ready & ~killed };
    atomic { closed = 1; inside = inside & ~BIT(me) };
#ifdef BUG_CLOSE_UNMET
    all = 1;
#else
    everyone_met();
#endif
    if
    :: all -> unlink(me)
    :: else
    fi;
    atomic { life[me] = 0 };
    atomic { epoch++ }
  } unless { killed & BIT(me) };
  atomic { ended = ended | BIT(me) }
}

inline refresh() {
#ifndef BUG_EPOCH_AFTER_LOOK
  look = epoch;
#endif
  atomic { /* participants, forget_vanished */
    seen = named & BIT(PUBLISHER);
    if
    :: linked && !seen -> has_file = 0; gone = 1
    :: linked && closed -> gone = 1
    :: else
    fi
  };
  if
  :: atomic { !linked && seen && (named & BIT(PUBLISHER)) -> linked = 1; has_file = 1 }
    gone = closed;
    atomic { gone = gone || life[PUBLISHER] == 0 };
    skips = published && !has_looked; /* where to begin, with Start::next */
    atomic { met = met | BIT(me) } /* begin_cursor */
  :: linked || !seen || !(named & BIT(PUBLISHER))
  fi;
#ifdef BUG_EPOCH_AFTER_LOOK
  look = epoch;
#endif
  atomic { known = look; seen = 0; look = 0 }
}

proctype subscriber(byte me) {
  byte s, seen, look, known;
  bit all, linked, has_file, gone, drained, got, has_looked, skips;
  {
    atomic { life[me] = me + 1 };
    atomic { named = named | BIT(me); inside = inside | BIT(me) };
    refresh();
#ifndef BUG_LOOKED_LATE
    has_looked = 1;
#endif
    atomic { ready = ready | BIT(me) };
    atomic { epoch++ };
    refresh();
#ifdef BUG_LOOKED_LATE
    has_looked = 1;
#endif
    do
    :: epoch != known -> refresh()
    :: linked && published && !got && !skips -> atomic { got = 1 }
    :: linked && !gone && life[PUBLISHER] == 0 -> gone = 1
    :: linked && gone && !drained && (got || skips || !published) ->
      drained = 1;
      if
      :: has_file -> reap(PUBLISHER)
      :: !has_file
      fi
    /* It leaves when it has what it was promised. One that was promised nothing may leave. */
    :: got || ((ended & BIT(PUBLISHER)) && !(promised & BIT(me))) -> break
    od;
    /* It announces its leaving too, which only publishers that go on would look at. */
    atomic { ready = ready & ~BIT(me); inside = inside & ~BIT(me) };
    unlink(me);
    atomic { life[me] = 0 }
  } unless { killed & BIT(me) };
  atomic { ended = ended | BIT(me) }
}

proctype reaper(byte me) {
  byte i, s, seen;
  bit all;
  {
    do
    :: atomic { i < FILES && !(named & BIT(i)) -> i++ }
#ifdef BUG_ALIVE_BY_STAGE
    /* Judges by the page and not by the lock. */
    :: i < SUBSCRIBERS && !(ready & BIT(i)) -> unlink(i); i++
#endif
    :: i < FILES && (named & BIT(i)) -> reap(i); i++
    :: i == FILES -> break
    od
  } unless { killed & BIT(me) };
  atomic { ended = ended | BIT(me) }
}

proctype killer() {
  byte left = CRASHES, who, i;
  do
  :: left > 0 && ended != ALL_BUT_FINAL ->
    atomic {
      select(who : 0 .. FINAL - 1);
      if
      :: !((killed | ended) & BIT(who)) ->
        killed = killed | BIT(who);
        inside = inside & ~BIT(who);
        for (i : 0 .. FILES - 1) {
          if
          :: life[i] == who + 1 -> life[i] = 0
          :: else
          fi
        };
        left--
      :: else
      fi;
      who = 0; i = 0
    }
  :: break
  od
}

init {
  byte i;
  atomic {
    run publisher();
    for (i : 0 .. SUBSCRIBERS - 1) { run subscriber(i) };
    for (i : FIRST_REAPER .. FINAL - 1) { run reaper(i) };
    i = 0;
    run killer()
  };
  atomic { ended == ALL_BUT_FINAL; run reaper(FINAL) };
  atomic { ended == BIT(ACTORS) - 1; assert(named == 0) }
}
