// In place of OPA's package capabilities, which holds the capabilities of every earlier version (13 MB): none.

package capabilities

import "embed"

// FS is empty.
var FS embed.FS
