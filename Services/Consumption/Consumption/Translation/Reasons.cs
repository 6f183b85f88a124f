using System.Text.Json;
using LlmMarketplace.Consumption.Pricing;

namespace LlmMarketplace.Consumption.Translation;

/// <summary>Why an answer ended, and what it used, in the words of each protocol.</summary>
internal static class Reasons
{
    /// <summary>Messages' <c>stop_reason</c> as Chat's <c>finish_reason</c>.</summary>
    public static string ToChat(ReadOnlySpan<byte> stopReason) => stopReason switch
    {
        _ when stopReason.SequenceEqual("tool_use"u8) => "tool_calls",
        _ when stopReason.SequenceEqual("max_tokens"u8) || stopReason.SequenceEqual("model_context_window_exceeded"u8) => "length",
        _ when stopReason.SequenceEqual("refusal"u8) => "content_filter",
        _ => "stop",
    };

    /// <summary>Converse's <c>stopReason</c> as Chat's <c>finish_reason</c>: Messages' words, and some more.</summary>
    public static string ConverseToChat(ReadOnlySpan<byte> stopReason) =>
        stopReason.SequenceEqual("guardrail_intervened"u8) || stopReason.SequenceEqual("content_filtered"u8) ? "content_filter" : ToChat(stopReason);

    /// <summary>Chat's <c>finish_reason</c> as Messages' <c>stop_reason</c>. Chat does not tell a stop sequence from an end.</summary>
    public static string ToMessages(ReadOnlySpan<byte> finishReason, bool hasCalls, bool refused) => finishReason switch
    {
        _ when refused || finishReason.SequenceEqual("content_filter"u8) => "refusal",
        _ when finishReason.SequenceEqual("length"u8) => "max_tokens",
        _ when hasCalls => "tool_use", // Some say `stop` all the same.
        _ => "end_turn",
    };

    /// <summary>Responses' reason for an answer that is not complete; null when it is.</summary>
    public static string? Incomplete(ReadOnlySpan<byte> finishReason) => finishReason switch
    {
        _ when finishReason.SequenceEqual("length"u8) => "max_output_tokens",
        _ when finishReason.SequenceEqual("content_filter"u8) => "content_filter",
        _ => null,
    };

    /// <summary>Members of Chat's <c>usage</c>; its input includes cached tokens.</summary>
    public static void WriteChatUsage(this Utf8JsonWriter json, TokenUsage usage)
    {
        json.WriteStartObject("usage"u8);
        json.WriteNumber("prompt_tokens"u8, usage.InputTokens);
        json.WriteNumber("completion_tokens"u8, usage.OutputTokens);
        json.WriteNumber("total_tokens"u8, usage.InputTokens + usage.OutputTokens);
        json.WriteStartObject("prompt_tokens_details"u8);
        json.WriteNumber("cached_tokens"u8, usage.CachedInputTokens);
        json.WriteEndObject();
        json.WriteStartObject("completion_tokens_details"u8);
        json.WriteNumber("reasoning_tokens"u8, usage.ReasoningTokens);
        json.WriteEndObject();
        json.WriteEndObject();
    }

    /// <summary>Members of Messages' <c>usage</c>; its input does not include cached tokens.</summary>
    public static void WriteMessagesUsage(this Utf8JsonWriter json, TokenUsage usage)
    {
        json.WriteStartObject("usage"u8);
        json.WriteNumber("input_tokens"u8, usage.InputTokens - usage.CachedInputTokens);
        json.WriteNumber("cache_creation_input_tokens"u8, 0);
        json.WriteNumber("cache_read_input_tokens"u8, usage.CachedInputTokens);
        json.WriteNumber("output_tokens"u8, usage.OutputTokens);
        json.WriteEndObject();
    }

    /// <summary>Members of Responses' <c>usage</c>.</summary>
    public static void WriteResponsesUsage(this Utf8JsonWriter json, TokenUsage? usage)
    {
        if (usage is not { } told)
        {
            json.WriteNull("usage"u8);
            return;
        }

        json.WriteStartObject("usage"u8);
        json.WriteNumber("input_tokens"u8, told.InputTokens);
        json.WriteStartObject("input_tokens_details"u8);
        json.WriteNumber("cached_tokens"u8, told.CachedInputTokens);
        json.WriteEndObject();
        json.WriteNumber("output_tokens"u8, told.OutputTokens);
        json.WriteStartObject("output_tokens_details"u8);
        json.WriteNumber("reasoning_tokens"u8, told.ReasoningTokens);
        json.WriteEndObject();
        json.WriteNumber("total_tokens"u8, told.InputTokens + told.OutputTokens);
        json.WriteEndObject();
    }
}
