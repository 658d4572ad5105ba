/** Whatever the daemon may send passes this page's door, in type and presence: `npm run check` says where not. */
import type * as v from 'valibot';
import type { Command, Decision, Reporter } from './explanation';
import type * as wire from './wire';
import type * as daemon from './wire.generated';

type Passes<S extends v.GenericSchema, Sent extends v.InferInput<S>> = [S, Sent];

export type Checked = [
  Passes<typeof wire.Track, daemon.Track>,
  Passes<typeof wire.SystemStats, daemon.SystemStats>,
  Passes<typeof wire.StreamUpdate, daemon.StreamUpdate>,
  Passes<typeof wire.AutoEndWarning, daemon.AutoEndWarning>,
  Passes<typeof wire.AutoEndEvent, daemon.AutoEndChange>,
  Passes<typeof wire.StreamState, daemon.StreamState>,
  Passes<typeof wire.AutoEnd, daemon.AutoEndState>,
  Passes<typeof wire.Fault, daemon.ClientError>,
  Passes<typeof Reporter, daemon.ReporterView>,
  Passes<typeof Command, daemon.CommandView>,
  Passes<typeof Decision, daemon.Decision>,
];
