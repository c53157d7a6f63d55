/** Attributes of an element; those without a value are left out. */
export type Attributes = Readonly<Record<string, string | number | undefined>>;

/** An element with what is in it: elements, or text that {@link text} has made. */
export function element(name: string, attributes: Attributes, ...inside: readonly string[]): string {
  const written = Object.entries(attributes)
    .filter(([, value]) => value !== undefined)
    .map(([key, value]) => ` ${key}="${typeof value === 'number' ? round(value) : escaped(value ?? '')}"`)
    .join('');
  return inside.length === 0 ? `<${name}${written}/>` : `<${name}${written}>${inside.join('')}</${name}>`;
}

/** A line of text at a place. */
export function label(x: number, y: number, said: string, attributes: Attributes = {}): string {
  return element('text', { x, y, ...attributes }, escaped(said));
}

/** What a chart is besides its marks. */
export interface Sheet {
  readonly width: number;
  readonly height: number;
  readonly title: string;
  /** Under the title. */
  readonly subtitle: string;
  /** What it shows, in words, for whoever does not see it. */
  readonly description: string;
}

/** A whole picture on a ground of its own, so that it can be read on a page of any colour; dark where the reader's screen is. */
export function sheet(
  { width, height, title, subtitle, description }: Sheet,
  marks: readonly string[],
): string {
  const lines = [
    element('title', { id: 'title' }, escaped(title)),
    element('desc', { id: 'description' }, escaped(description)),
    element('style', {}, STYLE),
    element('rect', { class: 'ground', width, height, rx: 6 }),
    label(20, 30, title, { class: 'title' }),
    label(20, 50, subtitle, { class: 'quiet' }),
    ...marks,
  ];
  const root = element(
    'svg',
    {
      xmlns: 'http://www.w3.org/2000/svg',
      viewBox: `0 0 ${width} ${height}`,
      width,
      height,
      role: 'img',
      'aria-labelledby': 'title description',
    },
    `\n${lines.join('\n')}\n`,
  );
  return `${root}\n`;
}

/** Colours of a mark, by what it stands for; each with one for the light and one for the dark. */
const COLOURS = {
  blue: ['#0b57d0', '#7cacff'],
  sky: ['#0e7490', '#56c4dc'],
  green: ['#15803d', '#5fd18a'],
  violet: ['#7c3aed', '#b99bff'],
  orange: ['#c2410c', '#ff9d66'],
  gold: ['#946200', '#e5b84a'],
  pink: ['#be185d', '#ff8dc0'],
  grey: ['#6b7280', '#9ca3af'],
} as const;
export type Colour = keyof typeof COLOURS;

function rules(shade: 0 | 1, ground: string, ink: string, quiet: string, grid: string): string {
  return [
    `.ground{fill:${ground}}text{fill:${ink}}.quiet{fill:${quiet}}.grid{stroke:${grid}}.ink{stroke:${ink}}`,
    ...Object.entries(COLOURS).map(
      ([name, colours]) => `.${name}{stroke:${colours[shade]}}.${name}-fill{fill:${colours[shade]}}`,
    ),
  ].join('');
}

const STYLE = [
  "text{font:12px system-ui,-apple-system,'Segoe UI',Roboto,Helvetica,Arial,sans-serif;font-variant-numeric:tabular-nums}",
  '.title{font-size:16px;font-weight:600}.line{fill:none;stroke-width:2;stroke-linejoin:round}.grid,.ink{stroke-width:1}',
  rules(0, '#ffffff', '#1f2328', '#59636e', '#d8dee4'),
  `@media(prefers-color-scheme:dark){${rules(1, '#0d1117', '#e6edf3', '#9198a1', '#2f353d')}}`,
].join('');

function escaped(said: string): string {
  return said
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;');
}

/** No more digits than can be seen. */
function round(value: number): string {
  return String(Math.round(value * 10) / 10);
}
