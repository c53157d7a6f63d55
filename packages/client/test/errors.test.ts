import * as sdk from '@ringway/client';
import { expect, test } from 'vitest';

const made: Record<string, sdk.RingwayError> = {
  PublishTimeoutError: new sdk.PublishTimeoutError('i', 'user:x'),
  PublishRefusedError: new sdk.PublishRefusedError('i', 'user:x', 'forbidden', 'no', false),
  FrameTooBigError: new sdk.FrameTooBigError(10, 5),
  QueueFullError: new sdk.QueueFullError(3),
  ClosedError: new sdk.ClosedError('over'),
  JoinRefusedError: new sdk.JoinRefusedError('group:g', 'timeout'),
  SessionEndedError: new sdk.SessionEndedError(4404, 'bye'),
  RouteError: new sdk.RouteError('no_nodes', 503, 'none', {}),
  TokenError: new sdk.TokenError('none'),
  NodeError: new sdk.NodeError('internal', 'oops'),
};

test('every error class that is exported has a name, a code and a message of its own', () => {
  const exported = Object.keys(sdk).filter((name) => name.endsWith('Error') && name !== 'RingwayError');
  expect(exported.sort()).toEqual(Object.keys(made).sort());
  for (const [name, error] of Object.entries(made)) {
    expect(error).toBeInstanceOf(sdk.RingwayError);
    expect(error.name).toBe(name);
    expect(error.code).toMatch(/^[a-z_]+$/);
    expect(error.message).not.toBe('');
  }
  expect(made.SessionEndedError?.code).toBe('kicked');
  expect(new sdk.SessionEndedError(4499, '').code).toBe('closed');
});
