using System.Buffers.Text;
using System.Text;
using System.Text.Json;
using LlmMarketplace.Consumption.Pricing;

namespace LlmMarketplace.Consumption.Calls;

/// <summary>
/// A provider's <c>usage</c> as it stands, under the names of all dialects. Streams tell it in parts (Anthropic: input at the start, output at the end, each a running
/// total), so later figures replace earlier ones of the same name.
/// </summary>
internal struct UsageFields
{
    private const int MaxKeptBytes = 4_096;
    private const int MaxExponentBytes = 5; // «e-999»

    // Of one call. Nobody lets a model search as often; a provider's answer may say anything.
    private const int MaxSearches = 1_000;

    private long? input;
    private long? output;
    private long? cached;
    private long? cachedBeside;
    private long? cacheRead;
    private long? cacheCreated;
    private long? cacheCreated5m;
    private long? cacheCreated1h;
    private long? reasoning;
    private long? total;
    private long? audioInput;
    private long? audioOutput;
    private long? searches;
    private decimal? seconds;
    private long? thoughts;
    private long? toolInput;
    private bool isNonsense;
    private byte[]? first;
    private byte[]? last;

    /// <summary>How often usage was told.</summary>
    public int Times { get; private set; }

    /// <summary>Searches of the web that the answer shows, where its usage does not tell them.</summary>
    public int SearchesSeen { get; private set; }

    /// <summary>What was told, word for word: the object, or an array of the first and the last; null when nothing was, or nothing that a database takes.</summary>
    public readonly string? ToText() =>
        last is null ? null
        : ReferenceEquals(first, last) ? Encoding.UTF8.GetString(last)
        : $"[{Encoding.UTF8.GetString(first!)},{Encoding.UTF8.GetString(last)}]";

    /// <summary>Notes searches that an answer, or an event, shows.</summary>
    public void Searched(int count) => SearchesSeen = (int)Math.Min((long)SearchesSeen + count, MaxSearches);

    /// <summary>Keeps a <c>usage</c> value as it stands.</summary>
    private void Keep(ReadOnlySpan<byte> value)
    {
        // Figures need no escapes, and PostgreSQL does not take them all; nor numbers of more digits than its «numeric» holds (131 072 and 16 383), which only an exponent can write in so few bytes.
        if (value.Length <= MaxKeptBytes && value.StartsWith("{"u8) && !value.Contains((byte)'\\') && Ascii.IsValid(value) && !HasLongExponent(value))
        {
            last = value.ToArray();
            first ??= last;
        }
    }

    private static bool HasLongExponent(ReadOnlySpan<byte> value)
    {
        Utf8JsonReader reader = new(value);
        while (reader.Read())
        {
            if (reader.TokenType == JsonTokenType.Number && reader.ValueSpan.IndexOfAny((byte)'e', (byte)'E') is >= 0 and var at && reader.ValueSpan.Length - at > MaxExponentBytes)
            {
                return true;
            }
        }

        return false;
    }

    /// <summary>The usage, or null when none was told, or nonsense: negative, no number, a part larger than its whole.</summary>
    /// <param name="dialect">How it was laid out.</param>
    /// <param name="onlyInput">Whether nothing is produced that would count: then all that was told is input.</param>
    public readonly TokenUsage? ToUsage(Dialect dialect, bool onlyInput = false)
    {
        var (input, output) = Both(onlyInput);
        if (isNonsense || (input is null && output is null && seconds is null))
        {
            return null;
        }

        // Anthropic's input_tokens are those that were neither read from nor written to the cache; Bedrock's too.
        var apart = dialect is Dialect.Messages or Dialect.Converse;
        var written1h = apart ? cacheCreated1h ?? 0 : 0;
        var written = apart ? cacheCreated ?? written1h + (cacheCreated5m ?? 0) : 0;
        var read = apart ? cacheRead ?? 0 : Math.Max(cached ?? 0, cachedBeside ?? 0);
        // Gemini tells thoughts, and what its own tools had read, beside the rest; xAI its reasoning, as the total shows.
        var beside = reasoning > 0 && total == input + output + reasoning ? reasoning.Value : thoughts ?? 0;
        var usage = new TokenUsage((input ?? 0) + (toolInput ?? 0) + (apart ? read + written : 0), read, (output ?? 0) + beside)
        {
            CacheWriteTokens = written - written1h,
            CacheWrite1hTokens = written1h,
            ReasoningTokens = reasoning ?? thoughts ?? 0,
            AudioInputTokens = audioInput ?? 0,
            AudioOutputTokens = audioOutput ?? 0,
            AudioSeconds = seconds ?? 0,
            WebSearches = searches ?? 0,
        };
        return usage.IsConsistent && usage.CacheWriteTokens >= 0 ? usage : null;
    }

    /// <summary>Input and output, where one of them was told by the total alone.</summary>
    private readonly (long? Input, long? Output) Both(bool onlyInput) => (input, output) switch
    {
        (null, null) when onlyInput => (total, null), // Voyage's and Jina's embeddings and rerankers.
        ({ } told, null) when !onlyInput && total > told => (told, total - told),
        (null, { } told) when total > told => (total - told, told),
        _ => (input, output),
    };

    /// <summary>Reads and keeps the value of a <c>usage</c> member; the reader stands on its name, and then on its end.</summary>
    /// <param name="reader">The reader.</param>
    /// <param name="json">What it reads.</param>
    /// <returns>Whether it tells anything: <c>null</c> does not.</returns>
    public bool Read(ref Utf8JsonReader reader, ReadOnlySpan<byte> json)
    {
        reader.Read();
        if (reader.TokenType != JsonTokenType.StartObject)
        {
            reader.Skip();
            return false;
        }

        var from = (int)reader.TokenStartIndex;
        ReadMembers(ref reader);
        Keep(json[from..(int)reader.BytesConsumed]);
        Times++;
        return true;
    }

    private void ReadMembers(ref Utf8JsonReader reader)
    {
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            if (reader.ValueTextEquals("prompt_tokens"u8) || reader.ValueTextEquals("input_tokens"u8) || reader.ValueTextEquals("inputTokens"u8))
            {
                ReadTokens(ref reader, ref input);
            }
            else if (reader.ValueTextEquals("completion_tokens"u8) || reader.ValueTextEquals("output_tokens"u8) || reader.ValueTextEquals("outputTokens"u8))
            {
                ReadTokens(ref reader, ref output);
            }
            else if (reader.ValueTextEquals("cache_read_input_tokens"u8) || reader.ValueTextEquals("cacheReadInputTokens"u8))
            {
                ReadTokens(ref reader, ref cacheRead);
            }
            else if (reader.ValueTextEquals("cache_creation_input_tokens"u8) || reader.ValueTextEquals("cacheWriteInputTokens"u8))
            {
                ReadTokens(ref reader, ref cacheCreated);
            }
            else if (reader.ValueTextEquals("prompt_tokens_details"u8) || reader.ValueTextEquals("input_tokens_details"u8) || reader.ValueTextEquals("input_token_details"u8))
            {
                ReadDetails(ref reader, ref audioInput);
            }
            else if (reader.ValueTextEquals("completion_tokens_details"u8) || reader.ValueTextEquals("output_tokens_details"u8))
            {
                ReadDetails(ref reader, ref audioOutput);
            }
            else if (reader.ValueTextEquals("total_tokens"u8))
            {
                reader.Read();
                total = reader.TokenType == JsonTokenType.Number && reader.TryGetInt64(out var all) && all is >= 0 and <= int.MaxValue ? all : null;
                reader.Skip();
            }
            else if (reader.ValueTextEquals("promptTokenCount"u8))
            {
                ReadTokens(ref reader, ref input);
            }
            else if (reader.ValueTextEquals("candidatesTokenCount"u8))
            {
                ReadTokens(ref reader, ref output);
            }
            else if (reader.ValueTextEquals("cachedContentTokenCount"u8))
            {
                ReadTokens(ref reader, ref cached);
            }
            else if (reader.ValueTextEquals("thoughtsTokenCount"u8))
            {
                ReadTokens(ref reader, ref thoughts);
            }
            else if (reader.ValueTextEquals("toolUsePromptTokenCount"u8))
            {
                ReadTokens(ref reader, ref toolInput);
            }
            else if (reader.ValueTextEquals("prompt_cache_hit_tokens"u8) || reader.ValueTextEquals("cached_tokens"u8))
            {
                ReadTokens(ref reader, ref cachedBeside); // DeepSeek's and Moonshot's names for what others tell in the details.
            }
            else if (reader.ValueTextEquals("cacheDetails"u8))
            {
                ReadCacheWrites(ref reader);
            }
            else if (reader.ValueTextEquals("promptTokensDetails"u8))
            {
                ReadModalities(ref reader);
            }
            else if (reader.ValueTextEquals("seconds"u8))
            {
                ReadSeconds(ref reader);
            }
            else if (reader.ValueTextEquals("cache_creation"u8) || reader.ValueTextEquals("server_tool_use"u8))
            {
                long? none = null;
                ReadDetails(ref reader, ref none);
            }
            else
            {
                reader.Read();
                reader.Skip();
            }
        }
    }

    /// <summary>Reads how long the audio was; the reader stands on the member's name. Some providers write it as a text.</summary>
    public void ReadSeconds(ref Utf8JsonReader reader)
    {
        reader.Read();
        if (reader.TokenType is JsonTokenType.Number or JsonTokenType.String
            && Utf8Parser.TryParse(reader.ValueSpan, out decimal value, out var read) && read == reader.ValueSpan.Length && value is >= 0 and <= int.MaxValue)
        {
            seconds ??= value;
            return;
        }

        isNonsense |= reader.TokenType != JsonTokenType.Null;
        reader.Skip();
    }

    /// <summary>Bedrock's writes to the cache by how long they live: <c>[{"ttl":"1h","inputTokens":3}]</c>.</summary>
    private void ReadCacheWrites(ref Utf8JsonReader reader)
    {
        reader.Read();
        if (reader.TokenType != JsonTokenType.StartArray)
        {
            reader.Skip();
            return;
        }

        long? hour = null;
        while (reader.Read() && reader.TokenType == JsonTokenType.StartObject)
        {
            var isHour = false;
            long? count = null;
            while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
            {
                if (reader.ValueTextEquals("inputTokens"u8))
                {
                    ReadTokens(ref reader, ref count);
                    continue;
                }

                var isLife = reader.ValueTextEquals("ttl"u8);
                reader.Read();
                isHour |= isLife && reader.TokenType == JsonTokenType.String && reader.ValueTextEquals("1h"u8);
                reader.Skip();
            }

            hour = isHour ? (hour ?? 0) + count : hour;
        }

        cacheCreated1h = hour ?? cacheCreated1h;
    }

    /// <summary>Gemini's input by kind: <c>[{"modality":"AUDIO","tokenCount":3}]</c>.</summary>
    private void ReadModalities(ref Utf8JsonReader reader)
    {
        reader.Read();
        if (reader.TokenType != JsonTokenType.StartArray)
        {
            reader.Skip();
            return;
        }

        while (reader.Read() && reader.TokenType == JsonTokenType.StartObject)
        {
            var isAudio = false;
            long? count = null;
            while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
            {
                if (reader.ValueTextEquals("tokenCount"u8))
                {
                    ReadTokens(ref reader, ref count);
                    continue;
                }

                var isModality = reader.ValueTextEquals("modality"u8);
                reader.Read();
                isAudio |= isModality && reader.TokenType == JsonTokenType.String && reader.ValueTextEquals("AUDIO"u8);
                reader.Skip();
            }

            audioInput = isAudio ? count : audioInput;
        }
    }

    private void ReadDetails(ref Utf8JsonReader reader, ref long? audio)
    {
        reader.Read();
        if (reader.TokenType != JsonTokenType.StartObject)
        {
            reader.Skip();
            return;
        }

        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            if (reader.ValueTextEquals("cached_tokens"u8))
            {
                ReadTokens(ref reader, ref cached);
            }
            else if (reader.ValueTextEquals("reasoning_tokens"u8))
            {
                ReadTokens(ref reader, ref reasoning);
            }
            else if (reader.ValueTextEquals("audio_tokens"u8))
            {
                ReadTokens(ref reader, ref audio);
            }
            else if (reader.ValueTextEquals("ephemeral_5m_input_tokens"u8))
            {
                ReadTokens(ref reader, ref cacheCreated5m);
            }
            else if (reader.ValueTextEquals("ephemeral_1h_input_tokens"u8))
            {
                ReadTokens(ref reader, ref cacheCreated1h);
            }
            else if (reader.ValueTextEquals("web_search_requests"u8))
            {
                ReadTokens(ref reader, ref searches);
            }
            else
            {
                reader.Read();
                reader.Skip();
            }
        }
    }

    private void ReadTokens(ref Utf8JsonReader reader, ref long? tokens)
    {
        reader.Read();
        if (reader.TokenType == JsonTokenType.Null)
        {
            return;
        }

        if (reader.TokenType == JsonTokenType.Number && reader.TryGetInt64(out var value) && value is >= 0 and <= int.MaxValue)
        {
            tokens = value;
            return;
        }

        isNonsense = true;
        reader.Skip();
    }
}
