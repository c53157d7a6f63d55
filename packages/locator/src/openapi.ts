/** As much of an OpenAPI document as is looked at here. */
export interface OpenApiDocument {
  readonly paths?: Readonly<Record<string, object>>;
}

/** One document of two listeners: where both have a path (health), the first one's stands. */
export function mergeDocuments<D extends OpenApiDocument>(first: D, second: OpenApiDocument): D {
  return { ...first, paths: { ...second.paths, ...first.paths } };
}

/** Who is asked for what. */
export const SECURITY_SCHEMES = {
  securitySchemes: {
    caller: { type: 'http', scheme: 'bearer', description: 'the application’s own JWT' },
    cluster: {
      type: 'http',
      scheme: 'bearer',
      description: 'cluster token, aud "locator", scope push or admin',
    },
  },
} as const;
