package signalbox

/*
#cgo nocallback sbx_list_topics
#cgo nocallback sbxgo_topic
#cgo nocallback sbxgo_publisher
#cgo nocallback sbxgo_subscriber
#include "native_discovery.h"
*/
import "C"

import "syscall"

// ParticipantInfo is what a participant's page says. Incarnation, UID and IsAlive are told by the
// kernel and do not depend on its honesty; with Err set the rest is zero.
type ParticipantInfo struct {
	Incarnation uint64
	PID         int // in the name space of that process
	UID         int // the owner of its file
	Program     string
	IsAlive     bool  // told by the lock on its file
	Err         error // its page is damaged, or not for us to read; nil: neither
}

// PublisherInfo is what a publisher's page says.
type PublisherInfo struct {
	ParticipantInfo
	Depth        uint32
	TailBytesMax uint64
	Published    uint64 // messages so far
	Dropped      uint64
	Evicted      uint64
}

// SubscriberInfo is what a subscriber's page says.
type SubscriberInfo struct {
	ParticipantInfo
	IsReliable bool
	Held       int // large samples it holds
	// Lag is, for a reliable one, how many messages were published and not taken, over all living
	// publishers it has met. 0 for lossy ones: how far those have come, and what they lost, no
	// shared page says.
	Lag uint64
}

// TopicInfo is a topic and who is in it.
type TopicInfo struct {
	Name            string
	TypeName        string // for people
	TypeDescription string // the canonical one, as Describe writes it
	Publishers      []PublisherInfo
	Subscribers     []SubscriberInfo
	Err             error // it is damaged, or not for us to read; nil: neither
}

// ListTopics answers every topic of the domain, by name; none if nobody is there. An empty domain
// is $SIGNALBOX_DOMAIN, else "default". It is a look at something that moves: each number is as old
// as its own reading. Nothing is joined, written or locked. In the hardened tier it waits up to a
// second for those who do not answer, and holds an OS thread meanwhile. Any goroutine may call it.
//
// Errors: ErrBadName, ErrPermissionDenied (the domain itself), ErrLimitReached, ErrSystem.
func ListTopics(domain string) ([]TopicInfo, error) {
	var list *C.sbx_topic_list
	err := tryNamed("", domain, func(_, domain *C.char, result *C.sbxgo_result) C.int {
		return C.sbx_list_topics(domain, &list, &result.error)
	})
	if err != nil {
		return nil, err
	}
	defer C.sbx_topic_list_close(list)
	topics := make([]TopicInfo, C.sbx_topic_list_count(list))
	for i := range topics {
		if topics[i], err = topicIn(list, C.uint64_t(i)); err != nil {
			return nil, err
		}
	}
	return topics, nil
}

func topicIn(list *C.sbx_topic_list, number C.uint64_t) (TopicInfo, error) {
	var facts C.sbx_topic_facts
	err := try(func(result *C.sbxgo_result) C.int {
		return C.sbxgo_topic(list, number, &facts, result)
	})
	if err != nil {
		return TopicInfo{}, err
	}
	topic := TopicInfo{
		Name:            C.GoString(facts.name),
		TypeName:        C.GoString(facts.type_name),
		TypeDescription: C.GoString(facts.type_description),
		Publishers:      make([]PublisherInfo, facts.publishers),
		Subscribers:     make([]SubscriberInfo, facts.subscribers),
		Err:             troubleOf(facts.error_code, facts.error_errno, facts.error_text),
	}
	for i := range topic.Publishers {
		if topic.Publishers[i], err = publisherIn(list, number, C.uint64_t(i)); err != nil {
			return TopicInfo{}, err
		}
	}
	for i := range topic.Subscribers {
		if topic.Subscribers[i], err = subscriberIn(list, number, C.uint64_t(i)); err != nil {
			return TopicInfo{}, err
		}
	}
	return topic, nil
}

func publisherIn(list *C.sbx_topic_list, topic, number C.uint64_t) (PublisherInfo, error) {
	var facts C.sbx_publisher_facts
	err := try(func(result *C.sbxgo_result) C.int {
		return C.sbxgo_publisher(list, topic, number, &facts, result)
	})
	if err != nil {
		return PublisherInfo{}, err
	}
	return PublisherInfo{
		ParticipantInfo: ParticipantInfo{
			Incarnation: uint64(facts.incarnation),
			PID:         int(facts.pid),
			UID:         int(facts.uid),
			Program:     C.GoString(facts.program),
			IsAlive:     facts.is_alive != 0,
			Err:         troubleOf(facts.error_code, facts.error_errno, facts.error_text),
		},
		Depth:        uint32(facts.depth),
		TailBytesMax: uint64(facts.tail_bytes_max),
		Published:    uint64(facts.published),
		Dropped:      uint64(facts.dropped),
		Evicted:      uint64(facts.evicted),
	}, nil
}

func subscriberIn(list *C.sbx_topic_list, topic, number C.uint64_t) (SubscriberInfo, error) {
	var facts C.sbx_subscriber_facts
	err := try(func(result *C.sbxgo_result) C.int {
		return C.sbxgo_subscriber(list, topic, number, &facts, result)
	})
	if err != nil {
		return SubscriberInfo{}, err
	}
	return SubscriberInfo{
		ParticipantInfo: ParticipantInfo{
			Incarnation: uint64(facts.incarnation),
			PID:         int(facts.pid),
			UID:         int(facts.uid),
			Program:     C.GoString(facts.program),
			IsAlive:     facts.is_alive != 0,
			Err:         troubleOf(facts.error_code, facts.error_errno, facts.error_text),
		},
		IsReliable: facts.is_reliable != 0,
		Held:       int(facts.held),
		Lag:        uint64(facts.lag),
	}, nil
}

// troubleOf is nil where there is none.
func troubleOf(code, errno C.int32_t, text *C.char) error {
	if code == C.SBX_OK {
		return nil
	}
	return &Error{Code: Code(code), Errno: syscall.Errno(errno), Text: C.GoString(text)}
}
