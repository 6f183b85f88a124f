using System.Text.Json;

namespace LlmMarketplace.Consumption.Calls;

/// <summary>What an answer, or one event of a stream, tells us besides its usage.</summary>
/// <param name="HasUsage">Whether it tells usage.</param>
/// <param name="HasContent">Whether it carries anything besides usage.</param>
/// <param name="TextBytes">Bytes of produced text in it (<see cref="TextLength"/>).</param>
/// <param name="Images">Entries of <c>data</c>: images made, where images are what is made.</param>
/// <param name="IsError">Whether it is an error object.</param>
/// <param name="IsEnd">Whether it is the event that ends a stream of its dialect.</param>
/// <param name="Sequence">Its <c>sequence_number</c>, which Responses' events have.</param>
internal readonly record struct AnswerFacts(bool HasUsage, bool HasContent, long TextBytes, int Images, bool IsError, bool IsEnd, long Sequence);

/// <summary>Reads answers and events of all dialects without building a tree.</summary>
internal static class ReadUsage
{
    /// <param name="json">An answer, or an event's data.</param>
    /// <param name="dialect">How it is laid out.</param>
    /// <param name="usage">Takes what it tells of usage.</param>
    /// <exception cref="JsonException">It is not one JSON object.</exception>
    public static AnswerFacts Read(ReadOnlySpan<byte> json, Dialect dialect, ref UsageFields usage)
    {
        var reading = new Reading(json, dialect);
        return reading.Read(ref usage);
    }

    private ref struct Reading(ReadOnlySpan<byte> bytes, Dialect dialect)
    {
        private readonly ReadOnlySpan<byte> json = bytes;
        private Utf8JsonReader reader = new(bytes);
        private bool hasUsage;
        private bool hasContent;
        private bool isError;
        private bool isEnd;
        private int images;
        private long textBytes;
        private long sequence;
        private bool isEvent;
        private bool isItemDone;
        private int searches;
        private long transcriptBytes;

        public AnswerFacts Read(ref UsageFields usage)
        {
            reader.Read();
            if (reader.TokenType != JsonTokenType.StartObject)
            {
                throw new JsonException("Not an object.");
            }

            while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
            {
                ReadMember(ref usage);
            }

            while (reader.Read())
            {
                // Nothing may follow; the reader says so.
            }

            usage.Searched(isItemDone ? searches : 0);
            return new AnswerFacts(hasUsage, hasContent, isEvent ? textBytes : textBytes + transcriptBytes, images, isError, isEnd, sequence);
        }

        private void ReadMember(ref UsageFields usage)
        {
            if (reader.ValueTextEquals("usage"u8) || (dialect == Dialect.Gemini && reader.ValueTextEquals("usageMetadata"u8)))
            {
                hasUsage |= usage.Read(ref reader, json);
            }
            else if (reader.ValueTextEquals("error"u8))
            {
                ReadError();
            }
            else if (dialect == Dialect.Responses && reader.ValueTextEquals("output"u8))
            {
                var from = (int)reader.BytesConsumed;
                CountText();
                usage.Searched(SearchCalls.Count(Value(from)));
            }
            else if (reader.ValueTextEquals("choices"u8) || (dialect == Dialect.Gemini && reader.ValueTextEquals("candidates"u8)) || (dialect == Dialect.Messages && reader.ValueTextEquals("content"u8)) || (dialect == Dialect.Converse && reader.ValueTextEquals("output"u8)))
            {
                CountText();
            }
            else if (reader.ValueTextEquals("data"u8))
            {
                CountData();
            }
            else if (dialect == Dialect.Audio && reader.ValueTextEquals("text"u8))
            {
                ReadTranscript();
            }
            else if (dialect == Dialect.Audio && reader.ValueTextEquals("duration"u8))
            {
                usage.ReadSeconds(ref reader);
            }
            else if (dialect != Dialect.Chat)
            {
                ReadEventMember(ref usage);
            }
            else
            {
                Skip();
            }
        }

        /// <summary>What the events of Responses and Messages have besides.</summary>
        private void ReadEventMember(ref UsageFields usage)
        {
            if (reader.ValueTextEquals("type"u8))
            {
                reader.Read();
                isEvent = true;
                isEnd |= reader.TokenType == JsonTokenType.String
                    && (reader.ValueTextEquals("message_stop"u8) || reader.ValueTextEquals("response.completed"u8) || reader.ValueTextEquals("response.incomplete"u8)
                        || reader.ValueTextEquals("transcript.text.done"u8) || reader.ValueTextEquals("speech.audio.done"u8));
                isItemDone |= reader.TokenType == JsonTokenType.String && reader.ValueTextEquals("response.output_item.done"u8);
                isError |= reader.TokenType == JsonTokenType.String && reader.ValueTextEquals("error"u8); // OpenAI's has no member of this name: what went wrong stands beside the type.
                reader.Skip();
            }
            else if (reader.ValueTextEquals("delta"u8))
            {
                CountText();
            }
            else if (reader.ValueTextEquals("response"u8) || reader.ValueTextEquals("message"u8))
            {
                ReadWhole(ref usage);
            }
            else if (dialect == Dialect.Responses && reader.ValueTextEquals("item"u8))
            {
                var from = (int)reader.BytesConsumed;
                Skip();
                searches += SearchCalls.Count(Value(from));
            }
            else if (reader.ValueTextEquals("sequence_number"u8))
            {
                reader.Read();
                sequence = reader.TokenType == JsonTokenType.Number && reader.TryGetInt64(out var number) ? number : sequence;
                reader.Skip();
            }
            else
            {
                Skip();
            }
        }

        /// <summary>The answer so far, within an event: only its usage and its error are news.</summary>
        private void ReadWhole(ref UsageFields usage)
        {
            reader.Read();
            if (reader.TokenType != JsonTokenType.StartObject)
            {
                reader.Skip(); // An error event's message is a text.
                return;
            }

            while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
            {
                if (reader.ValueTextEquals("usage"u8))
                {
                    hasUsage |= usage.Read(ref reader, json);
                }
                else if (reader.ValueTextEquals("error"u8))
                {
                    ReadError();
                }
                else
                {
                    Skip();
                }
            }
        }

        /// <summary>All that was said. An event repeats in it what other events told bit by bit.</summary>
        private void ReadTranscript()
        {
            reader.Read();
            hasContent = true;
            transcriptBytes += TextLength.Of(reader);
            reader.Skip();
        }

        /// <summary>A member's value up to where the reader stands; its name ended at <paramref name="from"/>.</summary>
        private readonly ReadOnlySpan<byte> Value(int from) => json[from..(int)reader.BytesConsumed].TrimStart(": \t\r\n"u8);

        private void ReadError()
        {
            reader.Read();
            isError |= reader.TokenType != JsonTokenType.Null;
            reader.Skip();
        }

        private void CountData()
        {
            reader.Read();
            hasContent = true;
            if (reader.TokenType != JsonTokenType.StartArray)
            {
                reader.Skip();
                return;
            }

            while (reader.Read() && reader.TokenType != JsonTokenType.EndArray)
            {
                images++;
                reader.Skip();
            }
        }

        /// <summary>Counts produced text, wherever it stands in this member's value.</summary>
        private void CountText()
        {
            reader.Read();
            var depth = reader.CurrentDepth;
            if (reader.TokenType == JsonTokenType.String)
            {
                hasContent = true;
                textBytes += TextLength.Of(reader);
                return;
            }

            if (reader.TokenType is not (JsonTokenType.StartArray or JsonTokenType.StartObject))
            {
                return;
            }

            while (reader.Read() && reader.CurrentDepth > depth)
            {
                hasContent = true;
                if (reader.TokenType == JsonTokenType.PropertyName && IsText())
                {
                    reader.Read();
                    textBytes += TextLength.Of(reader);
                }
            }
        }

        private readonly bool IsText() =>
            reader.ValueTextEquals("content"u8) || reader.ValueTextEquals("text"u8) || reader.ValueTextEquals("arguments"u8) || reader.ValueTextEquals("reasoning_content"u8)
            || reader.ValueTextEquals("refusal"u8) || reader.ValueTextEquals("partial_json"u8) || reader.ValueTextEquals("thinking"u8);

        private void Skip()
        {
            reader.Read();
            reader.Skip();
        }
    }
}
