package settings

import "slices"

// Setting describes one setting. Flags, variables, keys of both kinds of file,
// help and reference are all made from it.
type Setting struct {
	// Name is the flag without its dashes, and the key in the TOML file.
	Name  string
	Short string // one-letter flag
	Alias string // a second flag
	Env   string
	// OtherEnvs are further variables, which count where the ones before are not
	// set. Where there are any, a variable that says none counts as not set.
	OtherEnvs []string
	Field     string // in spec of a CalicoAPIConfig file
	// Default is the default as text; Computed says it in words where it depends
	// on something else.
	Default  string
	Computed string
	Group    string
	Help     string   // one line, without a full stop
	Commands []string // that have the flag; none: all
	Common   bool     // help shows it without being asked for all
	NoFlag   bool     // arguments can be seen by every user of the machine
	FlagOnly bool     // makes no sense in the TOML file
	bind     func(*Settings) value
}

// Kind is what the setting's text looks like.
func (s Setting) Kind() Kind { return s.bind(&Settings{}).kind }

// Words are some that its text may be, or an item of it.
func (s Setting) Words() []string { return s.bind(&Settings{}).words }

// NamesPaths says whether its text, or an item of it, is the path of a file or folder.
func (s Setting) NamesPaths() bool {
	v := s.bind(&Settings{})
	return v.paths || slices.Contains([]Kind{KindFile, KindFolder, KindPath}, v.kind)
}

// Envs are its variables, the first that is set wins.
func (s Setting) Envs() []string {
	if s.Env == "" {
		return nil
	}
	return append([]string{s.Env}, s.OtherEnvs...)
}

// HasFlag says whether the named command has the setting's flag. Commands that
// look at what runs have few.
func (s Setting) HasFlag(command string) bool {
	if s.NoFlag {
		return false
	}
	if command == CommandStatus || command == CommandApprove {
		ofFleet := []string{GroupNode, GroupEtcd, GroupKubernetes, GroupTypha, GroupLog}
		return s.Group == GroupBIRD || s.Name == "config-file" || slices.Contains(s.Commands, command) ||
			len(s.Commands) == 0 && slices.Contains(ofFleet, s.Group)
	}
	return len(s.Commands) == 0 || slices.Contains(s.Commands, command)
}

// DefaultText is the default in words; empty where there is none.
func (s Setting) DefaultText() string {
	if s.Computed != "" {
		return s.Computed
	}
	return s.Default
}

// The names of the commands that have settings.
const (
	CommandRun      = "run"
	CommandRender   = "render"
	CommandDiff     = "diff"
	CommandExport   = "export"
	CommandStatus   = "status"
	CommandApprove  = "approve"
	CommandExplain  = "explain"
	CommandTopology = "topology"
	CommandDoctor   = "doctor"
	CommandPlan     = "plan"
)

// The groups, in the order of help and reference.
const (
	GroupNode       = "Node and datastore"
	GroupEtcd       = "etcd"
	GroupKubernetes = "Kubernetes"
	GroupTypha      = "Typha"
	GroupBGP        = "BGP"
	GroupBIRD       = "BIRD"
	GroupFiles      = "Templates and files"
	GroupRun        = "Running"
	GroupSafety     = "Safety"
	GroupWatch      = "Being watched"
	GroupLog        = "Logging"
)

// Groups are all groups, in that order.
func Groups() []string {
	return []string{GroupNode, GroupEtcd, GroupKubernetes, GroupTypha, GroupBGP, GroupBIRD, GroupFiles, GroupRun, GroupSafety, GroupWatch, GroupLog}
}
