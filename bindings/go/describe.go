package signalbox

import (
	"fmt"
	"reflect"
	"strconv"
	"strings"
	"unicode"
)

// Bytes is the message type without a fixed part: plain bytes of varying length, all in the tail.
type Bytes struct{}

// Describe returns the canonical structural description of a message of type T: what a topic
// stores and what both sides must agree on. The grammar stands in signalbox.h.
//
//	type Pose struct {
//		Seq   uint64
//		XYZ   [3]float64
//		Label [16]byte `sbx:"label,char"`
//	}
//	// {seq:u64@0,xyz:f64[3]@8,label:char[16]@32}#48
//
// A field is called by its tag `sbx:"name"`, else by its Go name in lower_snake_case. The option
// "char" in the tag makes bytes characters. Blank fields (_) are padding and are left out.
//
// Error: ErrBadArgument, with the field's name, for a kind that means nothing outside this process
// or has no fixed width.
func Describe[T any](tail bool) (string, error) {
	text, err := describeTopic(reflect.TypeFor[T](), tail)
	if err != nil {
		return "", err
	}
	return text, nil
}

// describeTopic answers the concrete error type so that callers in this package can see it is ours;
// Describe turns its nil into a nil interface.
func describeTopic(t reflect.Type, tail bool) (string, *Error) {
	if hasNoFixedPart(t) {
		return "+u8[]", nil
	}
	if t.Kind() != reflect.Struct {
		return "", refuse(t.String(), t, "a message is a struct: put the value into a field of one")
	}
	text, err := describeStruct(t, typeName(t))
	if err != nil {
		return "", err
	}
	if tail {
		text += "+u8[]"
	}
	return text, nil
}

func hasNoFixedPart(t reflect.Type) bool {
	return t.Kind() == reflect.Struct && t.NumField() == 0
}

// typeName is what the type is called in texts for people; it is never compared.
func typeName(t reflect.Type) string {
	if t.Name() == "" {
		return "struct"
	}
	return t.Name()
}

func describeStruct(t reflect.Type, path string) (string, *Error) {
	var fields []string
	seen := map[string]string{}
	for i := range t.NumField() {
		field := t.Field(i)
		if field.Name == "_" {
			continue
		}
		here := path + "." + field.Name
		name, isChar, err := fieldName(field, here)
		if err != nil {
			return "", err
		}
		if other, found := seen[name]; found {
			return "", badArgument(fmt.Sprintf("cannot describe field %s: it is called %q like %s. "+
				"Give one of them another name with an sbx tag", here, name, other))
		}
		seen[name] = here
		kind, err := describeType(field.Type, isChar, here)
		if err != nil {
			return "", err
		}
		fields = append(fields, name+":"+kind+"@"+strconv.FormatUint(uint64(field.Offset), 10))
	}
	if len(fields) == 0 {
		return "", refuse(path, t, "it has no named field: remove it, or name one")
	}
	size := strconv.FormatUint(uint64(t.Size()), 10)
	return "{" + strings.Join(fields, ",") + "}#" + size, nil
}

func describeType(t reflect.Type, isChar bool, path string) (string, *Error) {
	// Go's [3][4]T is an array of 3 of [4]T, so walking inwards meets the outermost extent first.
	extents := ""
	element := t
	for ; element.Kind() == reflect.Array; element = element.Elem() {
		if element.Len() == 0 {
			return "", refuse(path, t, "an array needs at least one element: remove the field")
		}
		extents += "[" + strconv.Itoa(element.Len()) + "]"
	}
	if isChar {
		if element.Kind() != reflect.Uint8 && element.Kind() != reflect.Int8 {
			return "", refuse(path, t, `the tag option "char" is for byte and arrays of byte`)
		}
		return "char" + extents, nil
	}
	if element.Kind() == reflect.Struct {
		text, err := describeStruct(element, path)
		return text + extents, err
	}
	if text, found := scalars[element.Kind()]; found {
		return text + extents, nil
	}
	return "", refuse(path, t, adviceFor(element.Kind()))
}

var scalars = map[reflect.Kind]string{
	reflect.Uint8: "u8", reflect.Uint16: "u16", reflect.Uint32: "u32", reflect.Uint64: "u64",
	reflect.Int8: "i8", reflect.Int16: "i16", reflect.Int32: "i32", reflect.Int64: "i64",
	reflect.Float32: "f32", reflect.Float64: "f64", reflect.Bool: "bool",
}

func adviceFor(kind reflect.Kind) string {
	switch kind {
	case reflect.String:
		return "use [N]byte with the tag `sbx:\",char\"`, or send the text as the message's tail"
	case reflect.Slice:
		return "use an array, or send the bytes as the message's tail"
	case reflect.Int, reflect.Uint, reflect.Uintptr:
		return "its width differs between machines: use a type with a width, such as int32 or uint64"
	case reflect.Complex64, reflect.Complex128:
		return "other languages have no such type: use [2]float32 or [2]float64"
	default:
		return "an address means nothing in another process: store the value itself"
	}
}

func refuse(path string, t reflect.Type, advice string) *Error {
	return badArgument(fmt.Sprintf("cannot share %s of type %s: %s", path, t, advice))
}

// fieldName reads the tag `sbx:"name,char"`, either part of which may be missing.
func fieldName(field reflect.StructField, path string) (name string, isChar bool, err *Error) {
	name, options, hasOptions := strings.Cut(field.Tag.Get("sbx"), ",")
	if hasOptions && options != "char" {
		return "", false, badArgument(fmt.Sprintf("cannot describe field %s: its sbx tag has the "+
			"option %q; the only option is \"char\"", path, options))
	}
	if name == "" {
		name = snakeCase(field.Name)
	}
	if !isIdentifier(name) {
		return "", false, badArgument(fmt.Sprintf("cannot describe field %s: its name %q is not a "+
			"C identifier. Give it one with the tag `sbx:\"name\"`", path, name))
	}
	return name, hasOptions, nil
}

func isIdentifier(name string) bool {
	for i, r := range name {
		letter := r == '_' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z'
		if !letter && (i == 0 || r < '0' || r > '9') {
			return false
		}
	}
	return name != ""
}

// snakeCase turns FrameCount into frame_count, TrackID into track_id and HTTPPort into http_port.
func snakeCase(name string) string {
	var out strings.Builder
	runes := []rune(name)
	for i, r := range runes {
		if i > 0 && unicode.IsUpper(r) && startsWord(runes, i) {
			out.WriteByte('_')
		}
		out.WriteRune(unicode.ToLower(r))
	}
	return out.String()
}

// startsWord: the capital at i follows a small letter or digit, or ends a run of capitals.
func startsWord(runes []rune, i int) bool {
	before := runes[i-1]
	if unicode.IsLower(before) || unicode.IsDigit(before) {
		return true
	}
	return unicode.IsUpper(before) && i+1 < len(runes) && unicode.IsLower(runes[i+1])
}
