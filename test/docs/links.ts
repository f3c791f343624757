import { existsSync, readFileSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';

/** `docs/locks.md:12: guarantees.md#gone`: links to a file, or to a heading, that is not there. */
export function brokenLinks(pages: readonly string[]): string[] {
  return pages.flatMap((page) =>
    linksOf(page)
      .filter(({ target }) => !leadsSomewhere(page, target))
      .map(({ line, target }) => `${page}:${line}: ${target}`),
  );
}

const LINK = /\]\(<?([^)\s>]+)>?(?:\s+"[^"]*")?\)|^\[[^\]]+\]:\s*(\S+)|(?:href|src)="([^"]+)"/g;

function linksOf(page: string): { line: number; target: string }[] {
  return proseOf(page).flatMap((text, i) =>
    [...text.replace(/`[^`]*`/g, '').matchAll(LINK)].map((match) => ({
      line: i + 1,
      target: (match[1] ?? match[2] ?? match[3])!,
    })),
  );
}

function leadsSomewhere(page: string, target: string): boolean {
  if (/^[a-z]+:/.test(target)) return true;
  const [path, anchor] = target.split('#') as [string, string?];
  const file = path === '' ? page : normalize(join(dirname(page), decodeURI(path)));
  if (!existsSync(file)) return false;
  return anchor === undefined || anchorsOf(file).has(decodeURI(anchor));
}

/** As GitHub makes them. */
function anchorsOf(file: string): Set<string> {
  const anchors = new Set<string>();
  for (const line of proseOf(file)) {
    for (const [, id] of line.matchAll(/<a (?:id|name)="([^"]+)"/g)) anchors.add(id!);
    const heading = /^#{1,6} +(.+?) *#*$/.exec(line)?.[1];
    if (heading === undefined) continue;
    const words = heading.replace(/\[([^\]]*)\]\([^)]*\)/g, '$1').toLowerCase();
    const slug = words.replace(/[^\p{L}\p{N}\p{M}_ -]/gu, '').replaceAll(' ', '-');
    let unique = slug;
    for (let n = 1; anchors.has(unique); n++) unique = `${slug}-${n}`;
    anchors.add(unique);
  }
  return anchors;
}

/** The lines of a page, blank where they are within a fenced block. */
function proseOf(file: string): string[] {
  let fence = '';
  return readFileSync(file, 'utf8')
    .split('\n')
    .map((line) => {
      const mark = /^ *(`{3,}|~{3,})/.exec(line)?.[1];
      if (mark && fence === '') fence = mark;
      else if (mark?.startsWith(fence) && fence !== '') fence = '';
      else return fence === '' ? line : '';
      return '';
    });
}
