package signalbox_test

// The description of a Go struct, and that it is the one C computes for the same struct.

import (
	"testing"

	"signalbox.dev/go/signalbox"
	"signalbox.dev/go/signalbox/internal/layouttest"
)

func describe[T any](t testing.TB, tail bool) string {
	t.Helper()
	return must[string](t)(signalbox.Describe[T](tail))
}

func TestDescriptions(t *testing.T) {
	type Corner struct{ X, Y float32 }
	type Room struct {
		Name    [8]byte `sbx:",char"`
		Corners [4]Corner
		Exit    Corner `sbx:"way_out"`
	}
	for name, check := range map[string]struct{ got, expected string }{
		"padding": {describe[struct {
			A uint8
			B uint64
		}](t, false), "{a:u8@0,b:u64@8}#16"},
		"blank fields": {describe[struct {
			A uint8
			_ [3]byte
			B uint32
			_ uint32
		}](t, false), "{a:u8@0,b:u32@4}#12"},
		"nested": {describe[Room](t, true), "{name:char[8]@0,corners:{x:f32@0,y:f32@4}#8[4]@8," +
			"way_out:{x:f32@0,y:f32@4}#8@40}#48+u8[]"},
		"outermost first": {describe[struct{ M [2][3][4]int16 }](t, false), "{m:i16[2][3][4]@0}#48"},
		"unexported":      {describe[struct{ count int32 }](t, false), "{count:i32@0}#4"},
		"bytes":           {describe[signalbox.Bytes](t, false), "+u8[]"},
		"empty struct":    {describe[struct{}](t, true), "+u8[]"},
		"char of one": {describe[struct {
			C byte `sbx:",char"`
		}](t, false), "{c:char@0}#1"},
	} {
		if check.got != check.expected {
			t.Errorf("%s: got %s, expected %s", name, check.got, check.expected)
		}
	}
}

func TestDefaultNames(t *testing.T) {
	got := describe[struct {
		Seq           uint8
		FrameCount    uint8
		TrackID       uint8
		HTTPPort      uint8
		XYZ           uint8
		LatencyUsLog2 uint8
		Log2Max       uint8
		Already_snake uint8
		wallNs        uint8
	}](t, false)
	expected := "{seq:u8@0,frame_count:u8@1,track_id:u8@2,http_port:u8@3,xyz:u8@4," +
		"latency_us_log2:u8@5,log2_max:u8@6,already_snake:u8@7,wall_ns:u8@8}#9"
	if got != expected {
		t.Errorf("got      %s\nexpected %s", got, expected)
	}
}

func TestWhatCannotBeShared(t *testing.T) {
	type Inner struct{ Values []float64 }
	refusals := map[string]struct {
		describe func() (string, error)
		words    []string
	}{
		"string":       {refusal[struct{ Name string }], []string{"struct.Name", "string", "[N]byte"}},
		"slice":        {refusal[struct{ Inner Inner }], []string{"struct.Inner.Values", "tail"}},
		"pointer":      {refusal[struct{ Next *int32 }], []string{"struct.Next", "another process"}},
		"map":          {refusal[struct{ ByName map[int32]bool }], []string{"struct.ByName"}},
		"interface":    {refusal[struct{ Any any }], []string{"struct.Any"}},
		"channel":      {refusal[struct{ C chan int32 }], []string{"struct.C"}},
		"function":     {refusal[struct{ F func() }], []string{"struct.F"}},
		"int":          {refusal[struct{ Count int }], []string{"struct.Count", "width"}},
		"uint":         {refusal[struct{ Count [3]uint }], []string{"struct.Count", "width"}},
		"uintptr":      {refusal[struct{ At uintptr }], []string{"struct.At", "width"}},
		"complex":      {refusal[struct{ Z complex128 }], []string{"struct.Z", "[2]float64"}},
		"no element":   {refusal[struct{ A [0]uint8 }], []string{"struct.A", "element"}},
		"no field":     {refusal[struct{ A struct{} }], []string{"struct.A", "no named field"}},
		"only blanks":  {refusal[struct{ _ uint64 }], []string{"no named field"}},
		"no struct":    {refusal[uint64], []string{"uint64", "field"}},
		"bytes inside": {refusal[struct{ B signalbox.Bytes }], []string{"struct.B"}},
		"name taken": {refusal[struct {
			A uint8
			B uint8 `sbx:"a"`
		}], []string{"struct.B", `"a"`, "struct.A"}},
		"odd name": {refusal[struct {
			A uint8 `sbx:"a-b"`
		}], []string{"struct.A", `"a-b"`}},
		"other alphabet": {refusal[struct{ Größe uint8 }], []string{"Größe", "sbx"}},
		"odd option": {refusal[struct {
			A uint8 `sbx:"a,text"`
		}], []string{"struct.A", `"text"`}},
		"char of numbers": {refusal[struct {
			A [4]uint16 `sbx:",char"`
		}], []string{"struct.A", "char"}},
	}
	for name, refused := range refusals {
		t.Run(name, func(t *testing.T) {
			text, err := refused.describe()
			if text != "" {
				t.Errorf("described as %s", text)
			}
			expectError(t, err, signalbox.ErrBadArgument, refused.words...)
		})
	}
}

func refusal[T any]() (string, error) { return signalbox.Describe[T](false) }

// Scalars and Nested are the Go side of the structs in internal/layouttest.
type Scalars struct {
	A uint8
	B uint64
	C int8
	D int16
	E float32
	F bool
	G float64
	H [3]uint16
	I [5]byte `sbx:",char"`
	J int32
	K uint32
	L int64
}

func TestADescriptionIsTheOneOfC(t *testing.T) {
	if got, expected := describe[Scalars](t, false), layouttest.Scalars(); got != expected {
		t.Errorf("got      %s\nexpected %s", got, expected)
	}
	type Corner struct {
		ID uint8
		XY [2]float64
	}
	type Nested struct {
		Flag    bool
		Corners [3]Corner
		Matrix  [2][3]int16
	}
	if got, expected := describe[Nested](t, true), layouttest.Nested(); got != expected {
		t.Errorf("got      %s\nexpected %s", got, expected)
	}
}

// What the library reads in a description must be what Describe meant.
func TestTheLibraryReadsOurDescriptions(t *testing.T) {
	size, tail, problem := layouttest.Check(describe[Frame](t, true))
	if problem != "" || size != 496 || !tail {
		t.Errorf("read as %d bytes, tail %v, %s", size, tail, problem)
	}
	size, tail, problem = layouttest.Check(describe[signalbox.Bytes](t, false))
	if problem != "" || size != 0 || !tail {
		t.Errorf("read as %d bytes, tail %v, %s", size, tail, problem)
	}
}

func FuzzNamesInTagsNeverBreakTheGrammar(f *testing.F) {
	for _, name := range []string{"a", "a-b", "a,char", "ä", "1a", "a:b", "{}", ""} {
		f.Add(name)
	}
	f.Fuzz(func(t *testing.T, name string) {
		text, err := signalbox.DescribeWithTag(name)
		if err != nil {
			return
		}
		if _, _, problem := layouttest.Check(text); problem != "" {
			t.Fatalf("the tag %q was accepted and gave %s: %s", name, text, problem)
		}
	})
}
