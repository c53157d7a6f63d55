import { join, relative, sep } from 'node:path';
import { packageRoot } from './package-root.ts';

/** How this program is called from a folder: by the script of the checkout when it runs from source. */
export function ownCommand(cwd: string): string {
  if (!import.meta.filename.endsWith('.ts')) return 'ringway';
  const script = relative(cwd, join(packageRoot(), '../../scripts/ringway'));
  return script.includes(sep) ? script : `.${sep}${script}`;
}
