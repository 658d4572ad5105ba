// The peer of the ingest figures: parses a batch, keeps one seq per channel, answers. Nothing else.
// usage: bun bun_ingest.ts PORT
const seen = new Map<string, number>();

Bun.serve({
  hostname: "127.0.0.1",
  port: Number(process.argv[2]),
  async fetch(request) {
    const batch: any = await request.json();
    let accepted = 0;
    for (const report of batch.reports) {
      if (report.seq > (seen.get(report.channel_id) ?? -1)) {
        seen.set(report.channel_id, report.seq);
        accepted++;
      }
    }
    const duplicates = batch.reports.length - accepted;
    return Response.json({ accepted, duplicates, report_every_seconds: 5, commands: [] });
  },
});
