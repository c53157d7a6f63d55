/**
 * build.ts [PACKAGE...]  makes dist/ of the published packages: JavaScript with the private packages inside, and
 * declarations that name none of them. What to make stands in each package.json: `exports` and `bin`.
 */
import { rm } from 'node:fs/promises';
import { bundle } from './build/bundle.ts';
import { declare } from './build/declarations.ts';
import { folderOf, publishedPackages, readManifest, undeclared } from './build/manifest.ts';

const wanted = process.argv.slice(2);
const names = wanted.length > 0 ? wanted : publishedPackages;
for (const name of names) {
  if (!publishedPackages.includes(name)) {
    throw new Error(`unknown package ${name}: expected some of ${publishedPackages.join(', ')}`);
  }
  const manifest = readManifest(name);
  await rm(`${folderOf(name)}/dist`, { recursive: true, force: true });
  const { imports, sizes } = await bundle(name, manifest);
  const declared = await declare(name, manifest);
  const missing = undeclared(manifest, [...imports, ...declared]);
  if (missing.length > 0) {
    throw new Error(`packages/${name}/package.json lacks in its dependencies: ${missing.join(', ')}`);
  }
  console.log(`${manifest.name}: ${sizes.join(', ')}`);
}
