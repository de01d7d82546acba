package signalbox

import (
	"reflect"
	"strconv"
)

// DescribeWithTag describes a struct of one byte whose field carries the given sbx tag.
func DescribeWithTag(tag string) (string, error) {
	field := reflect.StructField{
		Name: "A",
		Type: reflect.TypeFor[byte](),
		Tag:  reflect.StructTag("sbx:" + strconv.Quote(tag)),
	}
	text, err := describeTopic(reflect.StructOf([]reflect.StructField{field}), false)
	if err != nil {
		return "", err
	}
	return text, nil
}

// OpenQueueDoor opens the door of a queue of that name whose descriptor this is.
func OpenQueueDoor(name string, descriptor int) error {
	door, bad := newQueueDoor(name, descriptor)
	if bad != nil {
		return bad
	}
	door.close()
	return nil
}
