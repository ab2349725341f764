"""Request bodies as the clients send them: shapes, keys and types as they were seen on the wire; the text is made up."""

from typing import Any, Final

__all__ = ["CLAUDE_CODE", "CODEX", "OPENCODE_ANTHROPIC", "OPENCODE_CHAT", "QWEN_CODE", "SDK_RESPONSES"]

SCHEMA: Final = {
    "type": "object",
    "properties": {"file_path": {"type": "string", "description": "The absolute path of the file"}},
    "required": ["file_path"],
    "additionalProperties": False,
}

CLAUDE_CODE: Final[dict[str, Any]] = {
    "model": "claude-sonnet-5",
    "max_tokens": 32000,
    "stream": True,
    "thinking": {"type": "adaptive"},
    "context_management": {"edits": [{"type": "clear_thinking_20251015", "keep": "all"}]},
    "output_config": {"effort": "medium"},
    "metadata": {"user_id": "user_1f3a_account__session_77aa"},
    "system": [
        {"type": "text", "text": "x-anthropic-billing-header: cc_version=2.1"},
        {"type": "text", "text": "You are Claude Code.", "cache_control": {"type": "ephemeral", "ttl": "1h"}},
        {"type": "text", "text": "Working directory: /repo", "cache_control": {"type": "ephemeral"}},
    ],
    "tools": [
        {"name": "Read", "description": "Reads a file from the local filesystem.", "input_schema": SCHEMA},
        {"name": "Bash", "description": "Runs a command.", "input_schema": SCHEMA, "defer_loading": True},
    ],
    "messages": [
        {"role": "user", "content": [{"type": "text", "text": "<system-reminder>today</system-reminder>"}, {"type": "text", "text": "fix the test"}]},
        {"role": "system", "content": "The user has selected the file a.py."},
        {
            "role": "assistant",
            "content": [
                {"type": "thinking", "thinking": "I should read the file.", "signature": "EqQBCkYIAhgC" * 12},
                {"type": "text", "text": "Let me look."},
                {"type": "tool_use", "id": "toolu_01A", "name": "Read", "input": {"file_path": "/repo/a.py"}},
            ],
        },
        {
            "role": "user",
            "content": [
                {
                    "type": "tool_result",
                    "tool_use_id": "toolu_01A",
                    "content": [{"type": "text", "text": "def f():\n    return 1\n"}, {"type": "tool_reference", "tool_name": "Bash"}],
                    "cache_control": {"type": "ephemeral"},
                }
            ],
        },
    ],
}  # fmt: skip

CODEX: Final[dict[str, Any]] = {
    "model": "gpt-5.6-codex",
    "instructions": "You are a coding agent running in the Codex CLI.",
    "input": [
        {"type": "message", "role": "developer", "content": [{"type": "input_text", "text": "<permissions instructions>"}]},
        {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "<environment_context>/repo</environment_context>"}]},
        {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "why does it fail?"}]},
        {"type": "function_call", "name": "shell_command", "arguments": '{"command":"cat a.py"}', "call_id": "call_1"},
        {"type": "function_call_output", "call_id": "call_1", "output": "def f():\n    return 1\n"},
        {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "It returns 1."}], "phase": "final_answer"},
    ],
    "tools": [
        {"type": "function", "name": "shell_command", "description": "Runs a shell command.", "strict": False, "parameters": SCHEMA},
        {"type": "custom", "name": "apply_patch", "description": "Edits files.", "format": {"type": "grammar", "syntax": "lark", "definition": "start: patch"}},
        {"type": "namespace", "name": "mcp__docs", "description": "Tools of docs.", "tools": [{"type": "function", "name": "search", "description": "Searches.", "parameters": SCHEMA}]},
        {"type": "tool_search", "execution": "client", "description": "Finds tools.", "parameters": SCHEMA},
        {"type": "web_search", "external_web_access": False},
    ],
    "tool_choice": "auto",
    "parallel_tool_calls": True,
    "reasoning": {"effort": "medium", "summary": "auto"},
    "store": False,
    "stream": True,
    "include": ["reasoning.encrypted_content"],
    "prompt_cache_key": "0199",
    "text": {"verbosity": "low"},
    "client_metadata": {"x-codex-installation-id": "77aa"},
}  # fmt: skip

QWEN_CODE: Final[dict[str, Any]] = {
    "model": "qwen3-coder-plus",
    "messages": [
        {"role": "system", "content": [{"type": "text", "text": "You are Qwen Code.", "cache_control": {"type": "ephemeral"}}]},
        {"role": "user", "content": [{"type": "text", "text": "This is the context."}, {"type": "text", "text": "list the files"}]},
        {"role": "assistant", "content": None, "reasoning_content": "ls it is", "tool_calls": [{"id": "call_a", "index": 0, "type": "function", "function": {"name": "ls", "arguments": '{"path": "/repo"}'}}]},
        {"role": "tool", "tool_call_id": "call_a", "content": "a.py\nb.py"},
    ],
    "tools": [{"type": "function", "function": {"name": "ls", "description": "Lists a directory.", "parameters": SCHEMA}}],
    "stream": True,
    "stream_options": {"include_usage": True},
    "temperature": 0.7,
    "max_tokens": 65536,
    "metadata": {"sessionId": "s1", "promptId": "p1"},
}  # fmt: skip

OPENCODE_CHAT: Final[dict[str, Any]] = {
    "model": "gpt-5.6-nano",
    "max_tokens": 32000,
    "temperature": 0,
    "messages": [
        {"role": "system", "content": "You are a title generator."},
        {"role": "user", "content": "Generate a title for this conversation:\n"},
        {"role": "user", "content": "fix the test"},
    ],
    "stream": True,
    "stream_options": {"include_usage": True},
    "reasoning_effort": "low",
}

OPENCODE_ANTHROPIC: Final[dict[str, Any]] = {
    "model": "claude-haiku-4-5",
    "max_tokens": 32000,
    "system": [{"type": "text", "text": "You are opencode.", "cache_control": {"type": "ephemeral"}}],
    "messages": [{"role": "user", "content": [{"type": "text", "text": "fix the test", "cache_control": {"type": "ephemeral"}}]}],
    "tools": [{"name": "read", "description": "Reads a file.", "input_schema": SCHEMA}],
    "tool_choice": {"type": "auto"},
    "stream": True,
}  # fmt: skip

SDK_RESPONSES: Final[dict[str, Any]] = {"model": "gpt-5.6", "input": "Say hello."}
