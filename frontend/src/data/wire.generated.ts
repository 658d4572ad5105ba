/** Generated from actors/src/wire.rs: `WRITE_WIRE_TYPES=1 cargo nextest run -p sattva-actors wire` writes it anew. */

export type Track = { 
/**
 * A number is taken as its text.
 */
id?: string, title: string, artist?: string, url?: string, duration_seconds?: number, started_at?: string, };

export type SystemStats = { active_streams: number, total_listeners: number, queue_items: number, 
/**
 * `null` until the host has been sampled, or where it cannot be.
 */
cpu_percent: number | null, memory_percent: number | null, uptime_seconds: number, };

export type StreamEvent = "started" | "stopped" | "track_changed" | "listeners_changed" | "queue_changed" | "paused" | "resumed" | "unknown";

export type StreamStatus = "live" | "paused" | "idle" | "stopped" | "lost";

export type StreamUpdate = { channel_id: string, event: StreamEvent, 
/**
 * With `started` only, as in a [`StreamState`]: who reports it, and what it is known of its beginning.
 */
sources?: Array<string>, session?: string, started_at?: string, current_track?: Track, listeners: number, listeners_known: boolean, queue_size?: number, state: StreamStatus, };

export type AutoEndWarning = { channel_id: string, seconds_remaining: number, reason: string, ends_at: string, };

export type AutoEndEvent = "started" | "cancelled" | "extended" | "frozen" | "unfrozen" | "stopping" | "would_stop" | "ended" | "stop_failed" | "paused" | "resumed";

export type PhaseName = "off" | "watching" | "counting" | "frozen" | "paused" | "stopping" | "stop_failed";

export type Why = "never_joined" | "all_left" | "stop_failed" | "operator" | "kept_alive" | "would_stop";

export type AutoEndChange = { channel_id: string, event: AutoEndEvent, ends_at?: string, remaining_seconds?: number, 
/**
 * For programs; `because` says it to people.
 */
reason: string, because: string, phase: PhaseName, 
/**
 * Its countdowns end nothing.
 */
dry_run?: boolean, };

export type AutoEndState = { phase: PhaseName, ends_at?: string, remaining_seconds?: number, reason?: Why, 
/**
 * Its countdowns end nothing.
 */
dry_run?: boolean, };

export type StreamState = { channel_id: string, sources: Array<string>, session: string | null, state: StreamStatus, started_at: string | null, listeners: number, listeners_known: boolean, 
/**
 * `null` until something has been reported since the daemon started.
 */
evidence_age_seconds: number | null, joins?: number, queue_size?: number, current_track?: Track, auto_end: AutoEndState, };

export type Snapshot = { streams: Array<StreamState>, };

export type ClientError = { code: string, message: string, };

export type Status = "live" | "paused" | "idle" | "stopped";

export type Outcome = "ok" | "refused" | "error";

export type ReporterView = { source: string, session: string, state: Status, seq: number, listeners: number | null, joins: number | null, age_seconds: number | null, interval_seconds: number, believed: boolean, };

export type CommandView = { id: string, type: string, source: string, session: string, state: string, outcome?: Outcome, detail?: string, decided_at: string, valid_until: string, };

export type Decision = { seq: number, at: string, event: string, because: string, 
/**
 * The operator who asked for it, by the name of the token.
 */
by?: string, 
/**
 * The known count; `null` when it was unknown.
 */
listeners: number | null, joins?: number, evidence_age_seconds?: number, session?: string, remaining_seconds?: number, };
