/* topic.pml: coming to a topic and leaving it, as src/topic/directory.cpp does.
 *
 * One atomic step is one system call. A crash is a process that stops for ever and whose locks fall.
 *
 *   step in the model             in directory.cpp
 *   make_directories, open        TopicDirectory::try_attach
 *   open, create, link            open_or_create_topic (the shared lock comes before the name)
 *   lock, count the links         enter
 *   type, exclusive, remove       check_type: a topic of another type that only the dead left
 *   bell                          open_or_create_bell
 *   reap                          reap_all, reap: is_alive, unlink; `unmet` files are kept
 *   own file                      create_own_segment, link_unnamed; PublisherCore::~PublisherCore
 *   leave                         ~TopicDirectory: reap, unlock, try exclusive, count the links
 *   remove_everything             remove_everything, remove_empty_directories
 *
 * Properties, as assertions: whoever attached is in the directory, the topic file and the bell that
 * the path names (no two topics of one name); nobody alive loses his file; without a crash nothing
 * is left when all have gone; with crashes nothing is left after one more visitor. Nobody waits for
 * ever: pan finds a process that cannot go on.
 *
 * Seeded bugs: BUG_LINK_BEFORE_LOCK, BUG_NO_RECHECK, BUG_LOOK_BEFORE_LEAVING,
 * BUG_TOPIC_BEFORE_BELL, BUG_NO_LIFE_LOCK.
 */
#ifndef VISITORS
#define VISITORS 2 /* at once; one more comes when they have gone */
#endif
#ifndef CRASHES
#define CRASHES 1
#endif
#define LAST VISITORS
#define EVERYONE (VISITORS + 1)
#define NEW_MOST (2 * EVERYONE + 2) /* a file or directory is made anew once for each removal */
#define NONE 15
#define BIT(i) (1 << (i))

byte path = NONE; /* the directory that has the topic's name now */
byte dirs, topics, bells;
byte topic_in[NEW_MOST] = NONE; /* by directory */
byte bell_in[NEW_MOST] = NONE;
byte files_in[NEW_MOST];
byte shared[NEW_MOST]; /* by topic file: who holds it */
byte exclusive[NEW_MOST]; /* by topic file: who + 1 */
bit has_name[NEW_MOST];
bit type_of[NEW_MOST];
byte life[EVERYONE]; /* by participant's file: who + 1 holds its lock */
byte inside; /* who is alive, and has linked his file and not begun to close */
byte unmet; /* files of ended publishers that reap() keeps */
byte killed, ended;

inline remove_directory() {
  atomic {
    if
    :: path != NONE ->
      if
      :: topic_in[path] == NONE && bell_in[path] == NONE && files_in[path] == 0 -> path = NONE
      :: else
      fi
    :: else
    fi
  }
}

/* The next file that is there to be opened, or EVERYONE. */
inline open_next() {
  do
  :: i < EVERYONE && !(files_in[d] & BIT(i)) -> i++
  :: else -> break
  od
}

/* Goes through all files. even_if_unmet is 0 or 1. */
inline reap(even_if_unmet) {
  atomic { i = 0; open_next() };
  do
  :: atomic { i == EVERYONE -> i = 0; break }
  :: i < EVERYONE && life[i] == 0; /* is_alive */
    atomic { /* unlink */
      if
      :: (files_in[d] & BIT(i)) && (even_if_unmet || !(unmet & BIT(i))) ->
        assert(!(inside & BIT(i))); /* nobody alive loses his file */
        files_in[d] = files_in[d] & ~BIT(i)
      :: else
      fi;
      i++; open_next()
    }
  :: atomic { i < EVERYONE && life[i] != 0 -> /* it lives */
#ifdef BUG_NO_LIFE_LOCK
      assert(!(inside & BIT(i)));
      files_in[d] = files_in[d] & ~BIT(i);
#endif
      i++; open_next()
    }
  od
}

inline unlink_bell() { atomic { bell_in[d] = NONE } }
inline unlink_topic() {
  atomic {
    if
    :: topic_in[d] != NONE -> has_name[topic_in[d]] = 0; topic_in[d] = NONE
    :: else
    fi
  }
}

/* With the exclusive lock on t. */
inline remove_everything() {
  reap(1);
#ifdef BUG_TOPIC_BEFORE_BELL
  unlink_topic();
  unlink_bell();
#else
  unlink_bell();
  unlink_topic();
#endif
  remove_directory();
  atomic { exclusive[t] = 0 }
}

proctype visitor(byte me; bit type) {
  byte d = NONE, t = NONE, b = NONE, i;
  {
    skip;
again:
    atomic { /* make_directories */
      if
      :: path == NONE -> assert(dirs < NEW_MOST); path = dirs; dirs++
      :: else
      fi
    };
    atomic { /* open_directory */
      d = path;
      if
      :: d == NONE -> goto again
      :: else
      fi
    };
    t = topic_in[d]; /* open_file */
    if
    :: t != NONE -> /* enter */
      atomic {
        if
        :: exclusive[t] == 0 -> shared[t] = shared[t] | BIT(me)
        :: else -> goto let_the_other_finish
        fi
      };
#ifndef BUG_NO_RECHECK
      atomic {
        if
        :: has_name[t] == 0 -> shared[t] = shared[t] & ~BIT(me); goto again
        :: else
        fi
      }
#endif
    :: else -> /* create_segment, link_unnamed; the lock is taken while the file has no name */
      atomic {
        if
        :: path == d && topic_in[d] == NONE ->
          assert(topics < NEW_MOST);
          t = topics; topics++;
          topic_in[d] = t; has_name[t] = 1; type_of[t] = type;
#ifndef BUG_LINK_BEFORE_LOCK
          shared[t] = shared[t] | BIT(me)
#endif
        :: else -> goto again
        fi
      };
#ifdef BUG_LINK_BEFORE_LOCK
      atomic { shared[t] = shared[t] | BIT(me) }
#endif
    fi;
    if /* check_type */
    :: type_of[t] == type
    :: type_of[t] != type ->
      atomic { /* try_become_last turns the shared lock into the exclusive one */
        if
        :: shared[t] == BIT(me) && exclusive[t] == 0 -> shared[t] = 0; exclusive[t] = me + 1
        :: else -> shared[t] = shared[t] & ~BIT(me); goto refused
        fi
      };
      remove_everything();
      goto again
    fi;
    do /* open_or_create_bell */
    :: atomic { b = bell_in[d]; if :: b != NONE -> break :: else fi };
      atomic {
        if
        :: path != d -> shared[t] = shared[t] & ~BIT(me); goto again
        :: path == d && bell_in[d] == NONE ->
          assert(bells < NEW_MOST);
          b = bells; bells++; bell_in[d] = b; break
        :: else /* somebody was quicker: open his */
        fi
      }
    od;
    assert(path == d && topic_in[d] == t && bell_in[d] == b);
    reap(0); /* the end of attach */
    atomic { life[me] = me + 1 }; /* create_own_segment */
    atomic {
      assert(path == d); /* or linkat would fail */
      files_in[d] = files_in[d] | BIT(me);
      inside = inside | BIT(me)
    };
    /* Here it publishes and takes. All that time it must be in the topic that has the name. */
    assert(path == d && topic_in[d] == t && bell_in[d] == b);
    atomic { /* ends: unlinks its file, or leaves it to a subscriber who has not met it */
      assert(files_in[d] & BIT(me));
      inside = inside & ~BIT(me);
      if
      :: files_in[d] = files_in[d] & ~BIT(me)
      :: me != LAST -> unmet = unmet | BIT(me)
      fi
    };
    atomic { life[me] = 0 };
    reap(0);
#ifdef BUG_LOOK_BEFORE_LEAVING
    atomic {
      if
      :: shared[t] == BIT(me) && exclusive[t] == 0 -> shared[t] = 0; exclusive[t] = me + 1
      :: else
      fi
    };
    atomic {
      if
      :: exclusive[t] != me + 1 -> shared[t] = shared[t] & ~BIT(me); goto left
      :: else
      fi
    };
#else
    atomic { shared[t] = shared[t] & ~BIT(me) }; /* unlock */
    atomic { /* try_become_last */
      if
      :: shared[t] == 0 && exclusive[t] == 0 -> exclusive[t] = me + 1
      :: else -> goto left
      fi
    };
#endif
    if
    :: has_name[t] -> remove_everything()
    :: else -> atomic { exclusive[t] = 0 }
    fi;
    goto left;
refused: /* type_mismatch; ~TopicDirectory of one that never was inside */
    remove_directory();
    goto left;
let_the_other_finish:
    /* It tries again every 200 us for 2 s; here it waits until the lock is free. */
    exclusive[t] == 0;
    goto again
  } unless { killed & BIT(me) };
left:
  atomic { ended = ended | BIT(me) }
}

proctype killer() {
  byte left = CRASHES, who, i;
  do
  :: left > 0 && ended != BIT(VISITORS) - 1 ->
    atomic {
      select(who : 0 .. VISITORS - 1);
      if
      :: !((killed | ended) & BIT(who)) ->
        killed = killed | BIT(who);
        inside = inside & ~BIT(who);
        for (i : 0 .. NEW_MOST - 1) {
          shared[i] = shared[i] & ~BIT(who);
          if
          :: exclusive[i] == who + 1 -> exclusive[i] = 0
          :: else
          fi
        };
        for (i : 0 .. EVERYONE - 1) {
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
    for (i : 0 .. VISITORS - 1) {
#ifdef TWO_TYPES
      run visitor(i, i == 0)
#else
      run visitor(i, 0)
#endif
    };
    i = 0;
    run killer()
  };
  atomic {
    ended == BIT(VISITORS) - 1;
#ifndef TWO_TYPES
    /* Nobody crashed: the last to leave took everything along. */
    if
    :: killed == 0 -> assert(path == NONE)
    :: else
    fi;
#endif
    run visitor(LAST, 0)
  };
  atomic {
    ended == BIT(EVERYONE) - 1;
    assert(path == NONE) /* one more visitor came and went: nothing is left */
  }
}
