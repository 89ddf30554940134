package backends

// The codes of what there is to say about input as it is written. See Codes for
// what each one means.
const (
	Unreadable Code = "unreadable"
	Template   Code = "unrendered-template"
	Encrypted  Code = "encrypted"
	OldFormat  Code = "old-format"
	NoKind     Code = "no-kind"

	UnknownKind  Code = "unknown-kind"
	UnknownField Code = "unknown-field"
	WrongType    Code = "wrong-type"
	FieldTwice   Code = "field-twice"
	ObjectTwice  Code = "object-twice"
	YAMLTag      Code = "yaml-tag"
	NotText      Code = "not-a-text"
	NoEffect     Code = "no-effect"
	Unusable     Code = "unusable"
)
