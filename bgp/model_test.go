package bgp

import (
	"net/netip"
	"reflect"
	"testing"

	"confd/backends"
)

// Equal looks at every field.
func TestSessionEqual(t *testing.T) {
	one := uint32(1)
	other := map[reflect.Type]any{
		reflect.TypeFor[string](): "x", reflect.TypeFor[SessionKind](): MeshSession, reflect.TypeFor[netip.Addr](): netip.MustParseAddr("10.0.0.1"),
		reflect.TypeFor[uint8](): uint8(1), reflect.TypeFor[uint16](): uint16(1), reflect.TypeFor[uint32](): one, reflect.TypeFor[bool](): true,
		reflect.TypeFor[NextHop](): NextHopSelf, reflect.TypeFor[*uint32](): &one, reflect.TypeFor[[]string](): []string{"x"},
		reflect.TypeFor[[]FilterCall](): []FilterCall{{Filter: "x"}}, reflect.TypeFor[backends.NextHopMode](): backends.NextHopKeep,
		reflect.TypeFor[Reason](): Reason{Text: "x"},
	}
	for _, field := range reflect.VisibleFields(reflect.TypeFor[Session]()) {
		var a, b Session
		value, ok := other[field.Type]
		if !ok {
			t.Fatalf("field %s has a type that this test does not know", field.Name)
		}
		reflect.ValueOf(&a).Elem().FieldByIndex(field.Index).Set(reflect.ValueOf(value))
		if a.Equal(&b) || b.Equal(&a) {
			t.Errorf("sessions that differ in %s are said to be equal", field.Name)
		}
		if c := a; !c.Equal(&a) {
			t.Errorf("a session with %s is said not to equal itself", field.Name)
		}
	}
}
