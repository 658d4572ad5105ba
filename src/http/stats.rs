//! `GET /api/stats`.

use actix_web::{HttpResponse, get, web};
use sattva_actors::stats::system_stats;
use serde_json::json;

use super::Front;

#[get("/api/stats")]
pub async fn get(front: web::Data<Front>) -> HttpResponse {
    let now = front.clock.now();
    let stats = system_stats(&front.cells, &front.elsewhere, front.sample.get(), front.started, now);
    HttpResponse::Ok().json(json!({
        "active_streams": stats.active_streams,
        "total_listeners": stats.total_listeners,
        "queue_items": stats.queue_items,
        "uptime": uptime(stats.uptime_seconds),
        "uptime_seconds": stats.uptime_seconds,
        "started_at": front.started.wall.to_string(),
        "cpu_percent": stats.cpu_percent,
        "memory_percent": stats.memory_percent,
        "version": env!("CARGO_PKG_VERSION"),
    }))
}

/// As the dashboard has always shown it: `2d 5h 30m`.
fn uptime(seconds: u64) -> String {
    let (days, hours, minutes) = (seconds / 86_400, seconds / 3600 % 24, seconds / 60 % 60);
    match (days, hours) {
        (0, 0) => format!("{minutes}m"),
        (0, _) => format!("{hours}h {minutes}m"),
        _ => format!("{days}d {hours}h {minutes}m"),
    }
}

#[cfg(test)]
mod tests {
    use super::uptime;

    #[test]
    fn uptime_reads_as_the_seed_shows_it() {
        assert_eq!(uptime(2 * 86_400 + 5 * 3600 + 30 * 60 + 59), "2d 5h 30m");
        assert_eq!(uptime(3 * 3600), "3h 0m");
        assert_eq!(uptime(59), "0m");
    }
}
