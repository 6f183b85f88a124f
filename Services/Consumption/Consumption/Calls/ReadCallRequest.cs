using System.Text.Json;
using System.Text.Unicode;

namespace LlmMarketplace.Consumption.Calls;

/// <summary>
/// Reads a body once, without building a tree. What is metered must stand in it once and have the right type; what costs apart and cannot be priced is refused; everything
/// else passes unseen.
/// </summary>
internal static partial class ReadCallRequest
{
    private const int MaxChoices = 128;
    private const int MaxFallbacks = 8;

    public static (CallRequest? Request, CallRefusal? Refusal) Read(Surface surface, ReadOnlySpan<byte> body, int maxDepth)
    {
        if (!Utf8.IsValid(body))
        {
            return (null, new CallRefusal(CallFailure.InvalidBody, "The body is not UTF-8."));
        }

        try
        {
            return new Reading(surface, body, maxDepth).Read();
        }
        catch (Exception broken) when (broken is JsonException or InvalidOperationException)
        {
            // The latter: a string that escapes half of a surrogate pair, which is found only when it is read.
            return (null, new CallRefusal(CallFailure.InvalidBody, $"The body is not JSON as it should be: {broken.Message}"));
        }
    }

    private ref partial struct Reading(Surface surface, ReadOnlySpan<byte> body, int maxDepth)
    {
        private Utf8JsonReader reader = new(body, new JsonReaderOptions { MaxDepth = maxDepth });
        private CallRefusal? refusal;
        private string? model;
        private Slice modelValue;
        private List<string>? fallbacks;
        private Slice? fallbackMember;
        private bool? stream;
        private Slice? streamOptions;
        private bool streamOptionsIsObject;
        private bool streamOptionsIsEmpty = true;
        private bool? includeUsage;
        private Slice? includeUsageValue;
        private long? maxTokens;
        private long? maxOtherTokens;
        private long? choices;
        private long prompts;
        private bool media;
        private bool readsWeb;
        private long toolTokens;
        private bool audio;
        private bool searchesWeb;
        private bool alwaysSearches;
        private int? maxWebSearches;
        private bool searchesUnbounded;
        private List<(string Field, Slice Member)>? nullMaxima;
        private long characters;
        private bool? store;
        private string? previousResponse;
        private Seen seen;
        private long textBytes;
        private string? user;
        private string? safetyIdentifier;
        private string? metadataUser;

        public (CallRequest? Request, CallRefusal? Refusal) Read()
        {
            reader.Read();
            var start = (int)reader.TokenStartIndex;
            if (reader.TokenType != JsonTokenType.StartObject)
            {
                return (null, new CallRefusal(CallFailure.InvalidBody));
            }

            while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
            {
                ReadMember();
            }

            while (reader.Read())
            {
                // Nothing may follow; the reader says so.
            }

            if (refusal is null && model is null)
            {
                refusal = new CallRefusal(CallFailure.InvalidField, "`model` is missing: name a service as `provider/service`.", "model");
            }

            return refusal is not null ? (null, refusal) : (new CallRequest
            {
                Model = model!,
                ModelValue = modelValue,
                Fallbacks = fallbacks ?? [],
                FallbackMember = fallbackMember,
                Stream = stream == true,
                WantsUsage = includeUsage == true,
                StreamOptions = streamOptions,
                StreamOptionsIsObject = streamOptionsIsObject,
                StreamOptionsIsEmpty = streamOptionsIsEmpty,
                IncludeUsage = includeUsageValue,
                MaxOutputTokens = maxTokens is null ? maxOtherTokens : Math.Max(maxTokens.Value, maxOtherTokens ?? 0),
                NullMaxima = nullMaxima ?? [],
                Prompts = Math.Max(1, prompts),
                Choices = Math.Max(1, prompts) * (choices ?? 1),
                HasMedia = media,
                ReadsWeb = readsWeb || searchesWeb,
                ToolTokens = toolTokens,
                HasAudio = audio,
                SearchesWeb = searchesWeb,
                AlwaysSearches = alwaysSearches,
                MaxWebSearches = searchesUnbounded ? null : maxWebSearches,
                TextBytes = textBytes,
                EndUser = EndUser(),
                Characters = characters,
                Store = store ?? true,
                PreviousResponseId = previousResponse,
                ObjectStart = start,
            }, null);
        }

        private void ReadMember()
        {
            if (reader.ValueTextEquals("model"u8))
            {
                ReadModel();
            }
            else if (reader.ValueTextEquals("models"u8))
            {
                Once("models", Seen.Models);
                ReadFallbacks();
            }
            else if (surface == Surface.AudioSpeech)
            {
                ReadSpeechMember();
            }
            else if (reader.ValueTextEquals("stream"u8))
            {
                Once("stream", Seen.Stream);
                stream = ReadFlag("stream") ?? false;
                if (stream == true && !surface.Streams)
                {
                    Refuse(CallFailure.InvalidField, $"/v1/{surface.Path} does not stream.", "stream");
                }
            }
            else if (reader.ValueTextEquals("n"u8))
            {
                Once("n", Seen.N);
                choices = Math.Max(choices ?? 1, ReadCount("n", MaxChoices) ?? 1);
            }
            else if (!ReadInputMember() && !ReadMaximumMember() && !ReadEndUserMember() && !ReadCostlyMember() && !(surface == Surface.Responses && ReadStoreMember()) && !(surface.Dialect == Dialect.Messages && ReadThreadMember()))
            {
                SkipMember();
            }
        }

        /// <summary>Passes over a member that is not metered, unless a provider may take it for one that is.</summary>
        private void SkipMember()
        {
            if (!DisguisedMember.IsPlain(reader.ValueSpan) && reader.GetString() is { } name && DisguisedMember.Of(name) is { } metered)
            {
                Refuse(CallFailure.InvalidField, $"`{name}` could be taken for `{metered}`: write it so, once.", metered);
            }

            reader.Read();
            reader.Skip();
        }

        /// <summary>What the model is given, whatever the surface calls it.</summary>
        private bool ReadInputMember()
        {
            var (name, field) = reader.ValueTextEquals("messages"u8) ? ("messages", Seen.Messages)
                : reader.ValueTextEquals("input"u8) ? ("input", Seen.Input)
                : surface != Surface.Responses && reader.ValueTextEquals("prompt"u8) ? ("prompt", Seen.Prompt)
                : reader.ValueTextEquals("system"u8) ? ("system", Seen.System)
                : reader.ValueTextEquals("instructions"u8) ? ("instructions", Seen.Instructions)
                : reader.ValueTextEquals("query"u8) ? ("query", Seen.Query)
                : reader.ValueTextEquals("documents"u8) ? ("documents", Seen.Documents)
                : (null, Seen.None);
            if (name is null)
            {
                return false;
            }

            Once(name, field);
            if (surface == Surface.Completions && field == Seen.Prompt)
            {
                CountPrompts();
            }

            ReadInput();
            return true;
        }

        private bool ReadMaximumMember()
        {
            if (surface.Dialect != Dialect.Responses && reader.ValueTextEquals("max_tokens"u8))
            {
                Once("max_tokens", Seen.MaxTokens);
                maxTokens = ReadMaximum("max_tokens");
            }
            else if (surface.Dialect == Dialect.Chat && reader.ValueTextEquals("max_completion_tokens"u8))
            {
                Once("max_completion_tokens", Seen.MaxOtherTokens);
                maxOtherTokens = ReadMaximum("max_completion_tokens");
            }
            else if (surface.Dialect == Dialect.Responses && reader.ValueTextEquals("max_output_tokens"u8))
            {
                Once("max_output_tokens", Seen.MaxOtherTokens);
                maxOtherTokens = ReadMaximum("max_output_tokens");
            }
            else if (surface.Dialect == Dialect.Chat && reader.ValueTextEquals("stream_options"u8))
            {
                Once("stream_options", Seen.StreamOptions);
                ReadStreamOptions();
            }
            else
            {
                return false;
            }

            return true;
        }

        private void ReadModel()
        {
            Once("model", Seen.Model);
            reader.Read();
            modelValue = new Slice((int)reader.TokenStartIndex, (int)(reader.BytesConsumed - reader.TokenStartIndex));
            if (reader.TokenType == JsonTokenType.String)
            {
                model = reader.GetString();
                return;
            }

            Refuse(CallFailure.InvalidField, "`model` must be a string: name a service as `provider/service`.", "model");
            model = "";
            reader.Skip();
        }

        /// <summary>Models to call when the first one fails. Ours alone: the provider never sees the member.</summary>
        private void ReadFallbacks()
        {
            var start = (int)reader.TokenStartIndex;
            reader.Read();
            var names = new List<string>();
            if (reader.TokenType == JsonTokenType.StartArray)
            {
                while (reader.Read() && reader.TokenType == JsonTokenType.String && names.Count < MaxFallbacks)
                {
                    names.Add(reader.GetString()!);
                }
            }

            if (reader.TokenType != JsonTokenType.EndArray)
            {
                throw new JsonException($"`models` must be an array of at most {MaxFallbacks} model names.");
            }

            fallbacks = names;
            fallbackMember = new Slice(start, (int)reader.BytesConsumed - start);
        }

        private void ReadStreamOptions()
        {
            reader.Read();
            var start = (int)reader.TokenStartIndex;
            streamOptionsIsObject = reader.TokenType == JsonTokenType.StartObject;
            if (!streamOptionsIsObject && reader.TokenType != JsonTokenType.Null)
            {
                Refuse(CallFailure.InvalidField, "`stream_options` must be an object.", "stream_options");
            }

            if (streamOptionsIsObject)
            {
                while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
                {
                    streamOptionsIsEmpty = false;
                    if (reader.ValueTextEquals("include_usage"u8))
                    {
                        Once("stream_options.include_usage", Seen.StreamOptionsIncludeUsage);
                        includeUsage = ReadFlag("stream_options.include_usage");
                        includeUsageValue = new Slice((int)reader.TokenStartIndex, (int)(reader.BytesConsumed - reader.TokenStartIndex));
                    }
                    else
                    {
                        reader.Read();
                        reader.Skip();
                    }
                }
            }
            else
            {
                reader.Skip();
            }

            streamOptions = new Slice(start, (int)reader.BytesConsumed - start);
        }

        /// <summary>Counts text wherever it stands in the input, and looks for what is not text.</summary>
        private void ReadInput()
        {
            reader.Read();
            if (reader.TokenType is not (JsonTokenType.StartArray or JsonTokenType.StartObject))
            {
                textBytes += TextLength.Of(reader);
                return;
            }

            var depth = reader.CurrentDepth;
            while (reader.Read() && reader.CurrentDepth > depth)
            {
                if (reader.TokenType == JsonTokenType.PropertyName)
                {
                    audio |= reader.ValueTextEquals("input_audio"u8);
                    media |= audio || reader.ValueTextEquals("image_url"u8) || reader.ValueTextEquals("file"u8) || reader.ValueTextEquals("video_url"u8)
                        || reader.ValueTextEquals("source"u8) || reader.ValueTextEquals("file_id"u8) || reader.ValueTextEquals("file_data"u8) || reader.ValueTextEquals("file_url"u8);
                    if (surface == Surface.Responses && reader.ValueTextEquals("type"u8))
                    {
                        reader.Read();
                        if (reader.TokenType == JsonTokenType.String && reader.ValueTextEquals("item_reference"u8))
                        {
                            Refuse(CallFailure.Untranslatable, "Items are not reached by their id alone: send them, or go on with `previous_response_id`.", "input");
                        }

                        continue;
                    }

                    var isText = reader.ValueTextEquals("content"u8) || reader.ValueTextEquals("text"u8) || reader.ValueTextEquals("arguments"u8) || reader.ValueTextEquals("output"u8);
                    if (isText && reader.Read())
                    {
                        textBytes += TextLength.Of(reader);
                    }
                }
                else if (reader.TokenType == JsonTokenType.String && reader.CurrentDepth == depth + 1)
                {
                    textBytes += TextLength.Of(reader); // An array of texts.
                }
            }
        }

        private bool? ReadFlag(string name)
        {
            reader.Read();
            if (reader.TokenType is JsonTokenType.True or JsonTokenType.False or JsonTokenType.Null)
            {
                return reader.TokenType == JsonTokenType.Null ? null : reader.GetBoolean();
            }

            Refuse(CallFailure.InvalidField, $"`{name}` must be true or false.", name);
            reader.Skip();
            return null;
        }

        private long? ReadMaximum(string name)
        {
            var start = (int)reader.TokenStartIndex;
            var count = ReadCount(name, int.MaxValue);
            if (reader.TokenType == JsonTokenType.Null)
            {
                (nullMaxima ??= []).Add((name, new Slice(start, (int)reader.BytesConsumed - start)));
            }

            return count;
        }

        private long? ReadCount(string name, int max, int min = 1)
        {
            reader.Read();
            if (reader.TokenType == JsonTokenType.Null)
            {
                return null;
            }

            if (reader.TokenType == JsonTokenType.Number && reader.TryGetInt64(out var count) && count >= min && count <= max)
            {
                return count;
            }

            Refuse(CallFailure.InvalidField, $"`{name}` must be a whole number from {min} to {max}.", name);
            reader.Skip();
            return null;
        }

        private void Once(string name, Seen field)
        {
            if ((seen & field) != 0)
            {
                Refuse(CallFailure.DuplicateField, $"`{name}` is given twice.", name);
            }

            seen |= field;
        }

        private void Refuse(CallFailure failure, string? detail, string param) => refusal ??= new CallRefusal(failure, detail, param);
    }

    /// <summary>The fields that may stand once.</summary>
    [Flags]
    private enum Seen
    {
        None = 0,
        Model = 1 << 0,
        Stream = 1 << 1,
        StreamOptions = 1 << 2,
        StreamOptionsIncludeUsage = 1 << 3,
        MaxTokens = 1 << 4,
        MaxOtherTokens = 1 << 5,
        N = 1 << 6,
        BestOf = 1 << 7,
        Messages = 1 << 8,
        Input = 1 << 9,
        Prompt = 1 << 10,
        System = 1 << 11,
        Instructions = 1 << 12,
        Query = 1 << 13,
        Documents = 1 << 14,
        Tools = 1 << 15,
        ServiceTier = 1 << 16,
        Background = 1 << 17,
        Modalities = 1 << 18,
        WebSearchOptions = 1 << 19,
        Models = 1 << 20,
        User = 1 << 21,
        SafetyIdentifier = 1 << 22,
        Metadata = 1 << 23,
        MetadataUser = 1 << 24,
        StreamFormat = 1 << 25,
        Store = 1 << 26,
        PreviousResponse = 1 << 27,
        MaxToolCalls = 1 << 28,
    }
}
