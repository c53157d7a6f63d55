export { configureIngest, type IngestParts } from './from-settings.ts';
export { createIngest, type Ingest, type IngestOptions, type IngestPush } from './ingest.ts';
export { Mapping, MappingError, parseMapping } from './mapping.ts';
export type { Delivery, Refusal, Source, SourceHooks } from './port.ts';
export { type IngestSettings, ingestSettings } from './settings.ts';
