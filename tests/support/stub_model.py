#!/usr/bin/env python3
# stub_model.py - a model server for real coding agents: says what the prompt tells it to, in four wire protocols.
#
# SPDX-License-Identifier: Apache-2.0
"""Usage: stub_model.py PORT      on 127.0.0.1; prints a line when it listens

The last "kz:WORD" of the user's texts decides:
  kz:plain   an answer                      kz:tool    a shell command, then an answer
  kz:sub     a subagent, then an answer     kz:slow    nothing for a minute
  kz:400 kz:429 kz:500                      that status
Protocols: Anthropic messages, OpenAI chat completions and responses, Gemini generateContent."""
import http.server
import json
import re
import sys
import time

INPUT, OUTPUT = 1200, 34
SHELLS = ("Bash", "bash", "shell", "shell_command", "exec_command", "run_shell_command", "execute_command", "run_commands",
          "execute")
AGENTS = ("Task", "Agent", "task", "agent", "spawn_agent", "invoke_agent", "delegate")
WAITERS = ("wait_agent",)
NAMES = ("subagent_type", "agent_type", "agent_name")
USAGE_CHAT = {"prompt_tokens": INPUT, "completion_tokens": OUTPUT, "total_tokens": INPUT + OUTPUT}


def texts(value):
    """The texts of a message, without those that tools gave."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, list):
        for item in value:
            yield from texts(item)
    elif isinstance(value, dict) and value.get("type") not in ("tool_result", "function_call_output") \
            and "functionResponse" not in value:
        for name in ("text", "content", "parts"):
            yield from texts(value.get(name, []))


def fill(schema, name, kinds):
    """A value for a tool's argument: what is required, and a command or a task where one belongs."""
    schema = (schema.get("anyOf") or schema.get("oneOf") or [schema])[0]
    kind = schema.get("type", "string")
    kind = (kind[0] if isinstance(kind, list) else kind).lower()
    if name in NAMES and kinds:
        return next((word for word in schema.get("enum", kinds) if word in kinds), kinds[0])
    if schema.get("enum"):
        return schema["enum"][0]
    if kind == "object":
        members = schema.get("properties", {})
        wanted = {*schema.get("required", []), *({"command", "message", *NAMES} & set(members))}
        return {member: fill(members[member], member, kinds) for member in members if member in wanted}
    if kind == "array":
        return ["bash", "-lc", "echo hi"] if name in ("command", "cmd") else [fill(schema.get("items", {}), name, kinds)]
    if kind in ("number", "integer"):
        return schema.get("minimum", 10000)
    if kind == "boolean":
        return False
    if name in ("command", "commands", "cmd"):
        return "echo hi"
    return "say_hi" if name in ("name", "task_name") else "kz:plain say hi"


class Talk:
    """One request: what is asked for, which tools there are, whether a tool has answered already."""

    def __init__(self, body, messages, tools, answered_by):
        self.body, self.tools, self.word, self.answered = body, tools, "plain", False
        for message in messages:
            if message.get("role") == "user":
                words = re.findall(r"kz:(\w+)", " ".join(texts(message.get("content", message.get("parts")))))
                if words:
                    self.word, self.answered = words[-1], False
            self.answered = self.answered or answered_by(message)
        self.call = None
        if self.word in ("tool", "sub") and not self.answered:
            self.call = self.pick(SHELLS if self.word == "tool" else AGENTS)

    def pick(self, names):
        known = json.dumps(self.body)
        kinds = [word for word in ("general-purpose", "general", "generalist", "explore") if word in known]
        for name in names:
            for tool in self.tools:
                if tool["name"] == name:
                    return {"name": name, "arguments": fill({"type": "object", **tool["schema"]}, "", kinds),
                            "namespace": tool.get("namespace")}
        return None


def anthropic(body):
    def answered(message):
        return any(isinstance(part, dict) and part.get("type") == "tool_result" for part in message.get("content") or [])
    tools = [{"name": tool["name"], "schema": tool.get("input_schema", {})} for tool in body.get("tools") or []]
    return Talk(body, body.get("messages", []), tools, answered)


def chat(body):
    tools = [{"name": tool["function"]["name"], "schema": tool["function"].get("parameters") or {}}
             for tool in body.get("tools") or [] if "function" in tool]
    return Talk(body, body.get("messages", []), tools, lambda message: message.get("role") == "tool")


def responses(body):
    tools = []
    for tool in body.get("tools") or []:
        for one in tool.get("tools", [tool]):
            tools.append({"name": one.get("name", ""), "schema": one.get("parameters") or {},
                          "namespace": tool.get("name") if "tools" in tool else None})
    items = body.get("input") or []
    items = items if isinstance(items, list) else [{"role": "user", "content": items}]
    talk = Talk(body, items, tools, lambda item: str(item.get("type", "")).endswith("_output"))
    spawned = re.findall(r'agent_id\\*"[: ]+\\*"([0-9a-f-]{36})', json.dumps(items))
    if talk.word == "sub" and talk.answered and spawned and "wait_agent" not in [item.get("name") for item in items]:
        talk.call = talk.pick(WAITERS)
        if talk.call:
            talk.call["arguments"] = {"targets": spawned[-1:]}
    return talk


def gemini(body):
    tools = [{"name": one["name"], "schema": one.get("parametersJsonSchema") or one.get("parameters") or {}}
             for group in body.get("tools") or [] for one in group.get("functionDeclarations", [])]
    return Talk(body, body.get("contents", []), tools,
                lambda message: any("functionResponse" in part for part in message.get("parts", [])))


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    number = 0

    def log_message(self, *_):
        pass

    def reply(self, status, document):
        data = json.dumps(document).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def event(self, document, name=None):
        text = document if isinstance(document, str) else json.dumps(document)
        self.wfile.write(((f"event: {name}\n" if name else "") + f"data: {text}\n\n").encode())
        self.wfile.flush()

    def begin(self, talk):
        self.send_response(200)
        self.send_header("content-type", "text/event-stream")
        self.send_header("connection", "close")
        self.end_headers()
        self.close_connection = True
        for _ in range(60 if talk.word == "slow" else 0):
            self.wfile.write(b": wait\n\n")
            self.wfile.flush()
            time.sleep(1)

    def do_HEAD(self):
        self.reply(200, {})

    def do_GET(self):
        self.reply(200, {"object": "list", "data": [{"id": "stub-1", "object": "model", "type": "model"}], "models": []})

    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("content-length") or 0))
        try:
            body = json.loads(body)
        except ValueError:
            self.reply(200, {})
            return
        path = self.path.split("?")[0]
        Handler.number += 1
        for ending, read, say in (("/messages", anthropic, self.say_anthropic), ("/chat/completions", chat, self.say_chat),
                                  ("/responses", responses, self.say_responses),
                                  ("enerateContent", gemini, self.say_gemini)):
            if path.endswith(ending) and path.rsplit(":", 1)[-1] != "countTokens":
                talk = read(body)
                if talk.word.isdigit():
                    self.reply(int(talk.word), {"type": "error", "error": {
                        "type": "invalid_request_error", "message": "stub: this model fails", "code": int(talk.word)}})
                else:
                    self.speak(say, talk, bool(body.get("stream")) or "stream" in path)
                return
        self.reply(200, {"input_tokens": INPUT, "totalTokens": INPUT})

    def speak(self, say, talk, streamed):
        try:
            if streamed:
                self.begin(talk)
            say(talk, streamed)
        except (BrokenPipeError, ConnectionResetError):
            pass  # the client has gone

    def say_anthropic(self, talk, streamed):
        block = ({"type": "tool_use", "id": f"toolu_{self.number:06d}", "name": talk.call["name"],
                  "input": talk.call["arguments"]} if talk.call else {"type": "text", "text": "The answer is hi."})
        reason = "tool_use" if talk.call else "end_turn"
        message = {"id": f"msg_{self.number:06d}", "type": "message", "role": "assistant", "model": talk.body.get("model"),
                   "stop_reason": None, "stop_sequence": None, "usage": {"input_tokens": INPUT, "output_tokens": OUTPUT}}
        if not streamed:
            self.reply(200, {**message, "content": [block], "stop_reason": reason})
            return
        delta = ({"type": "input_json_delta", "partial_json": json.dumps(block["input"])} if talk.call
                 else {"type": "text_delta", "text": block["text"]})
        empty = {**block, "input": {}} if talk.call else {"type": "text", "text": ""}
        for kind, members in (("message_start", {"message": {**message, "content": []}}),
                              ("content_block_start", {"index": 0, "content_block": empty}),
                              ("content_block_delta", {"index": 0, "delta": delta}), ("content_block_stop", {"index": 0}),
                              ("message_delta", {"delta": {"stop_reason": reason, "stop_sequence": None},
                                                 "usage": {"output_tokens": OUTPUT}}), ("message_stop", {})):
            self.event({"type": kind, **members}, kind)

    def say_chat(self, talk, streamed):
        message = {"role": "assistant", "content": None if talk.call else "The answer is hi."}
        if talk.call:
            message["tool_calls"] = [{"index": 0, "id": f"call_{self.number}", "type": "function", "function": {
                "name": talk.call["name"], "arguments": json.dumps(talk.call["arguments"])}}]
        reason = "tool_calls" if talk.call else "stop"
        base = {"id": f"cc_{self.number}", "created": int(time.time()), "model": talk.body.get("model")}
        if not streamed:
            self.reply(200, {**base, "object": "chat.completion", "usage": USAGE_CHAT,
                             "choices": [{"index": 0, "message": message, "finish_reason": reason}]})
            return
        base["object"] = "chat.completion.chunk"
        self.event({**base, "choices": [{"index": 0, "delta": message, "finish_reason": None}]})
        self.event({**base, "choices": [{"index": 0, "delta": {}, "finish_reason": reason}], "usage": USAGE_CHAT})
        self.event({**base, "choices": [], "usage": USAGE_CHAT})
        self.event("[DONE]")

    def say_responses(self, talk, streamed):
        if talk.call:
            item = {"type": "function_call", "id": f"fc_{self.number}", "call_id": f"call_{self.number}",
                    "name": talk.call["name"], "arguments": json.dumps(talk.call["arguments"]), "status": "completed"}
            if talk.call["namespace"]:
                item["namespace"] = talk.call["namespace"]
        else:
            item = {"type": "message", "id": f"msg_{self.number}", "role": "assistant", "status": "completed",
                    "content": [{"type": "output_text", "text": "The answer is hi.", "annotations": []}]}
        usage = {"input_tokens": INPUT, "input_tokens_details": {"cached_tokens": 200}, "output_tokens": OUTPUT,
                 "output_tokens_details": {"reasoning_tokens": 4}, "total_tokens": INPUT + OUTPUT}
        done = {"id": f"resp_{self.number:06d}", "object": "response", "created_at": int(time.time()), "status": "completed",
                "model": talk.body.get("model"), "output": [item], "usage": usage}
        if not streamed:
            self.reply(200, done)
            return
        for number, (kind, members) in enumerate((
                ("response.created", {"response": {**done, "status": "in_progress", "output": [], "usage": None}}),
                ("response.output_item.added", {"output_index": 0, "item": {**item, "status": "in_progress"}}),
                ("response.output_item.done", {"output_index": 0, "item": item}), ("response.completed", {"response": done}))):
            self.event({"type": kind, "sequence_number": number, **members}, kind)

    def say_gemini(self, talk, streamed):
        config = talk.body.get("generationConfig", {})
        schema = config.get("responseJsonSchema") or config.get("responseSchema")
        part = ({"functionCall": {"name": talk.call["name"], "args": talk.call["arguments"]}} if talk.call else
                {"text": json.dumps(fill(schema, "", [])) if schema else "The answer is hi."})
        document = {"candidates": [{"index": 0, "finishReason": "STOP", "content": {"role": "model", "parts": [part]}}],
                    "usageMetadata": {"promptTokenCount": INPUT, "candidatesTokenCount": OUTPUT,
                                      "totalTokenCount": INPUT + OUTPUT}, "modelVersion": "stub-1"}
        if streamed:
            self.event(document)
        else:
            self.reply(200, document)


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True


if __name__ == "__main__":
    with Server(("127.0.0.1", int(sys.argv[1])), Handler) as server:
        print("ready", flush=True)
        server.serve_forever()
