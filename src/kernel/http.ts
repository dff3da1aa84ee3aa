import type { OptionsSchema } from "./module.ts";

export interface ApiRequest {
  readonly params: Readonly<Record<string, string>>; // ":id" parts of the path
  readonly query: Readonly<Record<string, string>>;
  readonly body: unknown; // validated by `body` of the route
}

export interface ApiReply {
  readonly status: number;
  readonly body: unknown; // JSON
}

/** One operation below /api/v1. Shown in /openapi.json. */
export interface ApiRoute {
  readonly method: "GET" | "POST" | "PUT" | "PATCH" | "DELETE";
  readonly path: string; // "/calls/:id"
  readonly summary: string;
  readonly scope: "read" | "write" | "admin";
  readonly body?: OptionsSchema;
  readonly reply?: OptionsSchema;
  run(request: ApiRequest): ApiReply | Promise<ApiReply>;
}

/** What modules hang into the management API; without the `management` module nothing listens. */
export interface HttpRoutes {
  route(route: ApiRoute): void;
}
