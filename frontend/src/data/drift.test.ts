/** What this page reads is what the daemon's source writes. */
import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { DICTIONARIES } from '@/i18n';
import { inRussian } from '@/i18n/sentences';
import { Command, Decision, Reporter } from './explanation';
import { ChannelReport, Figures, Recorded, RecordedEvent, TrackRow } from './recorded';
import { Session } from './session';
import * as wire from './wire';

const source = (path: string) => readFileSync(`../${path}`, 'utf8');

/** The fields of a Rust struct as they are on the wire. */
function fieldsOf(path: string, name: string): string[] {
  const body = new RegExp(`pub struct ${name} \\{\\n([\\s\\S]*?)\\n\\}`).exec(source(path))?.[1];
  if (body === undefined) throw new Error(`${path} has no struct ${name}`);
  const fields = body.matchAll(/(?:rename = "(\w+)"[\s\S]*?)?pub (\w+):/g);
  return [...fields].map(([, renamed, field = '']) => renamed ?? field);
}

/** The variants of a Rust enum as they are on the wire. */
function variantsOf(path: string, name: string): string[] {
  const body = new RegExp(`pub enum ${name} \\{\\n([\\s\\S]*?)\\n\\}`).exec(source(path))?.[1];
  if (body === undefined) throw new Error(`${path} has no enum ${name}`);
  return [...body.matchAll(/^ {4}(\w+)[,({ ]/gm)].map(([, variant = '']) =>
    variant.replace(/(?!^)[A-Z]/g, '_$&').toLowerCase(),
  );
}

const WIRE = 'actors/src/wire.rs';
const PROTOCOL = 'actors/src/protocol.rs';

describe('a message', () => {
  test.each([
    [WIRE, 'Track', wire.Track, []],
    [WIRE, 'SystemStats', wire.SystemStats, []],
    [WIRE, 'StreamUpdate', wire.StreamUpdate, []],
    [WIRE, 'AutoEndWarning', wire.AutoEndWarning, []],
    [WIRE, 'AutoEndChange', wire.AutoEndEvent, []],
    [WIRE, 'StreamState', wire.StreamState, ['evidence_age_seconds']],
    [WIRE, 'AutoEndState', wire.AutoEnd, []],
    [WIRE, 'ClientError', wire.Fault, []],
    [PROTOCOL, 'ReporterView', Reporter, ['seq']],
    [PROTOCOL, 'CommandView', Command, []],
    ['actors/src/channel/journal.rs', 'Decision', Decision, ['session']],
  ])('of %s: %s is read field by field', (path, struct, schema, unread) => {
    const read = Object.keys(schema.entries);
    expect([...read, ...unread].sort()).toEqual(fieldsOf(path, struct).sort());
  });

  test('has a phase that this page knows', () => {
    const phases = variantsOf('actors/src/channel/auto_end.rs', 'PhaseName');
    expect([...wire.PHASES].sort()).toEqual(phases.sort());
  });
});

describe('what was recorded', () => {
  const { schemas } = JSON.parse(source('src/http/openapi.json')).components;
  const { events } = schemas.Events.properties;
  const [, , track] = schemas.Report.properties.rows.items.oneOf;

  test.each([
    ['History', Recorded, schemas.History, []],
    ['Events', RecordedEvent, events.items, []],
    ['ReportFigures', Figures, schemas.ReportFigures, []],
    ['Report', ChannelReport, schemas.Report, ['by', 'channel_id']],
    ['a row of tracks', TrackRow, track, []],
  ])('is read field by field: %s', (_, schema, described, unread) => {
    const read = Object.keys(schema.entries);
    expect([...read, ...unread].sort()).toEqual(Object.keys(described.properties).sort());
  });
});

describe('who looks at the page', () => {
  const { schemas } = JSON.parse(source('src/http/openapi.json')).components;

  test('is read field by field, and every role has a name in every language', () => {
    const { properties } = schemas.Session;
    expect(Object.keys(Session.entries).sort()).toEqual(Object.keys(properties).sort());
    const roles = properties.role.enum.map((role: string) => `role.${role}`);
    expect(roles.length).toBeGreaterThan(0);
    for (const dictionary of Object.values(DICTIONARIES)) {
      expect(Object.keys(dictionary)).toEqual(expect.arrayContaining(roles));
    }
  });
});

describe('what the daemon calls things', () => {
  test('has words in every language', () => {
    const events = variantsOf(WIRE, 'AutoEndEvent').map((event) => `event.${event}`);
    const states = variantsOf(WIRE, 'StreamStatus').map((state) => `state.${state}`);
    for (const dictionary of Object.values(DICTIONARIES)) {
      expect(Object.keys(dictionary)).toEqual(expect.arrayContaining([...events, ...states]));
    }
  });
});

describe('what the daemon refuses, and what fails', () => {
  const streams = source('src/http/streams.rs');
  const gate = source('src/http/gate.rs');
  const failures = source('actors/src/channel/words.rs').split('impl From<&StopFailure>')[1] ?? '';
  const all = (text: string, pattern: RegExp) =>
    [...text.matchAll(pattern)].map(([, code = '']) => code);

  test.each([
    ['refused', all(streams, /Problem::(?:conflict|busy)\("(\w+)"/g), 9],
    ['refused', [...all(gate, /Problem::forbidden\("(wrong_\w+)"/g), 'not_found'], 2],
    ['failure', all(failures, /Self::new\("(\w+)"/g), 2],
  ])('has words in every language: %s %o', (kind, codes, least) => {
    expect(new Set(codes).size).toBeGreaterThanOrEqual(least);
    for (const dictionary of Object.values(DICTIONARIES)) {
      expect(Object.keys(dictionary)).toEqual(
        expect.arrayContaining(codes.map((code) => `${kind}.${code}`)),
      );
    }
  });
});

/** The sentences in a stretch of Rust, with something in the place of what is filled in. */
function sentencesOf(path: string, from: string, to: string): string[] {
  const text = source(path);
  const stretch = text.slice(text.indexOf(from), text.indexOf(to, text.indexOf(from)));
  const literals = [...stretch.matchAll(/"((?:[^"\\]|\\[\s\S])*)"/g)].map(([, literal = '']) =>
    literal.replace(/\\\n\s*/g, '').replace(/\{[^}]*\}/g, '42'),
  );
  return literals.filter((literal) => literal.split(' ').length > 2);
}

describe('what the daemon says in English', () => {
  test.each([
    ['actors/src/channel/stream.rs', 'pub fn explain(', '\n    }\n}', 20],
    ['actors/src/channel/words.rs', 'let (reason', '\n    }\n}\n\nimpl From<&StopFailure>', 10],
    ['actors/src/channel.rs', 'Effect::Warn {', 'metrics.auto_end_event(event)', 10],
  ])('is said in Russian: %s from %s', (path, from, to, least) => {
    const sentences = sentencesOf(path, from, to).filter((each) => !each.includes('see `explain`'));
    expect(sentences.length).toBeGreaterThanOrEqual(least);
    for (const sentence of sentences) expect(inRussian(sentence) ?? '', sentence).toMatch(/[а-я]/);
  });
});
