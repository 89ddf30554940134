package diff

import "confd/backends"

// The states that have a name; any other one is a path.
const (
	Live = "live"
	Disk = "disk"
)

// Options say what is compared.
type Options struct {
	// From and To are Live, or a path of YAML; From may be Disk.
	From, To string
	// Whole says that what a path of To holds is all there is; else it is laid
	// over the state of From.
	Whole bool
	// AllNodes compares for all nodes of the cluster, not for this one alone.
	AllNodes bool
}

// IsOverlay says whether the resources of To are laid over the state of From.
func (o Options) IsOverlay() bool { return o.To != Live && o.From != Disk && !o.Whole }

// Wanted is what is wanted of the live state.
type Wanted struct {
	// AllNodes is set where what concerns other nodes matters, too.
	AllNodes bool
	// Beside are resources that will be laid over it: what they refer to is needed
	// as well; nil: none.
	Beside *backends.State
}
