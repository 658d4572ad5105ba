//! What it costs to format a scrape: 10 000 channels with all their four series.

use std::{
    hint::black_box,
    sync::{Arc, atomic::Ordering::Relaxed},
};

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use sattva_actors::{
    channel::cell::{Activity, Cell, Cells},
    clock::Timestamp,
    identity::ChannelId,
};
use sattva_monitor::http::metrics::Exposition;

const CHANNELS: u32 = 10_000;
const SERIES_PER_CHANNEL: u64 = 4;

fn cells() -> Arc<Cells> {
    let cells = Arc::<Cells>::default();
    for n in 0..CHANNELS {
        let Ok(id) = ChannelId::new(&format!("-{}", 1_001_000_000_000 + u64::from(n))) else {
            unreachable!("a Telegram id is a channel id")
        };
        let cell = cells.add(id);
        cell.set_activity(Activity::Active);
        cell.listeners.store(i64::from(n * 7919 % 1000), Relaxed);
        cell.queue_size.store(i64::from(n * 31 % 50), Relaxed);
        Cell::set_time(&cell.evidence_at, Some(Timestamp::from_secs(1000 + u64::from(n % 5))));
        Cell::set_time(&cell.ends_at, Some(Timestamp::from_secs(1010 + u64::from(n % 300))));
    }
    cells
}

fn exposition(criterion: &mut Criterion) {
    let cells = cells();
    let now = Timestamp::from_secs(1005);
    let write = || {
        let mut exposition = Exposition::new(Arc::clone(&cells), now, CHANNELS as usize, Vec::new());
        let mut lines = 0;
        while let Some(chunk) = exposition.next_chunk() {
            lines += chunk.iter().filter(|byte| **byte == b'\n').count() as u64;
        }
        lines
    };
    // Each family has two lines of comment.
    assert_eq!(write(), u64::from(CHANNELS) * SERIES_PER_CHANNEL + 2 * SERIES_PER_CHANNEL);
    let mut group = criterion.benchmark_group("exposition");
    group.throughput(Throughput::Elements(u64::from(CHANNELS) * SERIES_PER_CHANNEL));
    group.bench_function("10000 channels", |bencher| {
        bencher.iter(|| {
            let mut exposition = Exposition::new(Arc::clone(&cells), now, CHANNELS as usize, Vec::new());
            while let Some(chunk) = exposition.next_chunk() {
                black_box(chunk);
            }
        });
    });
    group.finish();
}

criterion_group!(benches, exposition);
criterion_main!(benches);
