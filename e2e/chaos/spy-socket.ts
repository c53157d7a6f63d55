import { type ClientOptions, WebSocket } from 'ws';

/** What the SDK does not tell its application, and the checker has to know. */
export interface SpyReport {
  /** A publish was refused for the moment; the SDK will send it again. */
  refused(id: string): void;
  /** A node asked the session to move. */
  move(): void;
  closed(code: number): void;
}

/** The class of WebSockets for one client's SDK, that listens in on what the node says. */
export function spyingWebSocket(report: SpyReport): new (url: string, protocols: string[]) => WebSocket {
  return class extends WebSocket {
    constructor(url: string, protocols: string[]) {
      super(url, protocols, { perMessageDeflate: false } satisfies ClientOptions);
      this.on('message', (data) => {
        const text = String(data);
        // the cheap look first: most frames are messages
        if (text.startsWith('{"type":"message"') || text.startsWith('{"type":"published"')) return;
        const frame = JSON.parse(text) as { type: string; id?: string };
        if (frame.type === 'error' && frame.id !== undefined) report.refused(frame.id);
        if (frame.type === 'move') report.move();
      });
      this.on('close', (code) => report.closed(code));
    }
  };
}
