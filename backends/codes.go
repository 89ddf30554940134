package backends

// The codes of what there is to say about input as it is written. Codes says what
// each one means.
const (
	Unreadable   Code = "unreadable"
	Template     Code = "unrendered-template"
	Encrypted    Code = "encrypted"
	OldFormat    Code = "old-format"
	NoKind       Code = "no-kind"
	UnknownKind  Code = "unknown-kind"
	UnknownField Code = "unknown-field"
	WrongType    Code = "wrong-type"
	FieldTwice   Code = "field-twice"
	ObjectTwice  Code = "object-twice"
	YAMLTag      Code = "yaml-tag"
	NotText      Code = "not-a-text"
	NoEffect     Code = "no-effect"
	Unusable     Code = "unusable"
	IgnoredValue Code = "ignored-value"
)

// CodeInfo explains a code to people.
type CodeInfo struct {
	Code Code
	// Says is what the message looks like; Means what becomes of the input; Do
	// what to do about it.
	Says, Means, Do string
	// Advice says that nothing is wrong: --strict does not mind it.
	Advice bool
}

// Codes explains the codes of this package, in the order of the page that is made
// of them.
func Codes() []CodeInfo {
	return []CodeInfo{
		{
			Code: Unreadable, Says: "mapping values are not allowed in this context",
			Means: "The document is left out; the others in the file count. While the program runs, what was in the file before and cannot be found now stays.",
			Do:    "Mend the YAML or JSON at the place that is shown.",
		},
		{
			Code: Template, Says: "a template that was not rendered?",
			Means: "A text with the marks of Helm or Jinja ({{ }}, {% %}) or of Terraform (${ }, %{ }). Where it breaks the document, that is left out as above; in a value it is taken as it is.",
			Do:    "Give confd the files that the tool makes (helm template), not its templates.",
		},
		{
			Code: Encrypted, Says: "is encrypted by SOPS: decrypt the file first",
			Means: "The value is a place holder, ENC[...]. It is never used, least of all as a password.",
			Do:    "sops -d",
		},
		{
			Code: OldFormat, Says: `is a "bgpPeer" of "v1", as calicoctl wrote them before Calico 3`,
			Means: "The object is left out.",
			Do:    "Convert it: calicoctl convert.",
		},
		{
			Code: NoKind, Says: "has no kind",
			Means: "The object is left out: it says only one of kind and apiVersion, or in other letters. Documents with neither, such as Helm's values or a kustomization, are passed over without a word.",
			Do:    "Say both.",
		},
		{
			Code: UnknownKind, Says: `projectcalico.org/v3 has no kind "bgpPeer", so nothing of it is read; did you mean BGPPeer?`,
			Means: "The object is left out. Kinds that the API group is known to have, and confd has no use for, are passed over without a word; so are other groups.",
			Do:    "Correct the kind or the apiVersion.",
		},
		{
			Code: UnknownField, Says: "spec.asNumbr: BGPPeer has no such field, so nothing of it is read; did you mean asNumber?",
			Means: "The object counts without the field, as in Calico.",
			Do:    "Correct or remove it.",
		},
		{
			Code: WrongType, Says: "spec.bgp: has a text where an object should be, so nothing of it is read",
			Means: "The object counts without the field.",
			Do:    "Correct it.",
		},
		{
			Code: FieldTwice, Says: "spec.asNumber: is there twice; the later one counts",
			Means: "Two fields of one name in one object, or one that `<<` replaces by another, as kubectl and calicoctl have it.",
			Do:    "Remove one.",
		},
		{
			Code: ObjectTwice, Says: "is there twice, first in a.yaml:6:1; the later one counts",
			Means: "Two objects of one kind and name that differ, in one file or several. The later file in the order of names counts, and the later one in a file. Calico's Node and the Kubernetes Node of one name are one: see below.",
			Do:    "Remove one.",
		},
		{
			Code: YAMLTag, Says: "spec.nodeSelector: !has(rr) is a tag in YAML, and no value: put quotes around it",
			Means: "Other programs read the field as empty: with calicoctl this BGPPeer would be for all nodes. confd takes the text that is written.",
			Do:    "Put quotes around it.",
		},
		{
			Code: NotText, Says: `metadata.labels.rr: "yes" is read as "true" in YAML: put quotes around it where that is not meant`,
			Means: "The value counts as it is read, as in calicoctl.",
			Do:    "Put quotes around it, or write what it is read as.",
		},
		{
			Code: NoEffect, Says: `metadata.name: a BGPConfiguration of the name "defaut" has no effect; did you mean default?`,
			Means: "BGPConfigurations and FelixConfigurations have an effect by the names default and node.NAME only.",
			Do:    "Correct the name.",
		},
		{
			Code: Unusable, Says: "left out: spec.asNumber: 8589934592 is above 4294967295",
			Means: "The object makes no sense, or a datastore holds it where objects of another kind belong, and it is left out. A BGPFilter closes instead: it rejects all routes in the directions that it has rules for. Of an IPPool BIRD puts no routes into the kernel.",
			Do:    "Correct the value.",
		},
		{
			Code: IgnoredValue, Says: `ignored: spec.keepaliveTime: "x" is not a duration such as "120s"`,
			Means: "The value makes no sense and counts as unset; the object counts without it.",
			Do:    "Correct the value.",
		},
	}
}
