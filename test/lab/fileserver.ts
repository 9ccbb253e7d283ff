import { readFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { join, normalize } from "node:path";

/** Serves the files of a folder over HTTP, to this machine and the nodes of its labs only. */
export class FileServer {
  private constructor(private readonly server: Server) {}

  static start(folder: string): Promise<FileServer> {
    const server = createServer(({ url = "/" }, response) => {
      const path = normalize(decodeURIComponent(new URL(url, "http://localhost").pathname));
      try {
        response.end(readFileSync(join(folder, path)));
      } catch {
        response.writeHead(404).end();
      }
    });
    return new Promise((resolve, reject) => {
      server.once("error", reject);
      server.listen({ host: "127.0.0.1", port: 0 }, () => resolve(new FileServer(server)));
    });
  }

  /** Without a slash at its end. */
  get url(): string {
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }

  stop(): void {
    this.server.close();
    this.server.closeAllConnections();
  }
}
