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
