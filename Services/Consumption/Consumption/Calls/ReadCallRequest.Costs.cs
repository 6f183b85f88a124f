using System.Text.Json;

namespace LlmMarketplace.Consumption.Calls;

/// <content>Members that make a call cost more than its tokens: noted when they can be priced, refused when not.</content>
internal static partial class ReadCallRequest
{
    /// <summary>Tools that run with the caller, or cost nothing but tokens.</summary>
    private static readonly string[] FreeTools = ["function", "custom", "local_shell", "shell", "apply_patch"];

    /// <summary>The same, as Anthropic writes them, with a date behind.</summary>
    private static readonly string[] FreeToolFamilies = ["bash_", "text_editor_", "computer_", "memory_", "tool_search_tool_"];

    private ref partial struct Reading
    {
        private bool ReadCostlyMember()
        {
            if (reader.ValueTextEquals("tools"u8))
            {
                Once("tools", Seen.Tools);
                ReadTools();
            }
            else if (reader.ValueTextEquals("service_tier"u8))
            {
                Once("service_tier", Seen.ServiceTier);
                RefuseUnless("service_tier", null, "default", "auto", "standard_only");
            }
            else if (surface == Surface.Responses && reader.ValueTextEquals("background"u8))
            {
                Once("background", Seen.Background);
                if (ReadFlag("background") == true)
                {
                    Refuse(CallFailure.NotPriced, "`background` runs on without being metered: call with a stream instead.", "background");
                }
            }
            else if (surface == Surface.Responses && reader.ValueTextEquals("max_tool_calls"u8))
            {
                Once("max_tool_calls", Seen.MaxToolCalls);
                maxWebSearches = (int?)ReadCount("max_tool_calls", int.MaxValue, min: 0); // Of all tools that the provider runs: searches are the ones that cost.
            }
            else if (surface == Surface.Responses && reader.ValueTextEquals("prompt"u8))
            {
                Once("prompt", Seen.Prompt);
                RefuseUnless("prompt", "What a stored `prompt` holds has no bound: send its text as `instructions` or `input`."); // The provider puts it in: nobody here knows how long it is.
            }
            else if (surface == Surface.ChatCompletions && reader.ValueTextEquals("modalities"u8))
            {
                Once("modalities", Seen.Modalities);
                ReadModalities();
            }
            else if (surface == Surface.ChatCompletions && reader.ValueTextEquals("web_search_options"u8))
            {
                Once("web_search_options", Seen.WebSearchOptions);
                reader.Read();
                alwaysSearches = reader.TokenType != JsonTokenType.Null;
                searchesWeb |= alwaysSearches;
                media |= searchesWeb;
                reader.Skip();
            }
            else if (surface == Surface.Messages && reader.ValueTextEquals("speed"u8))
            {
                RefuseUnless("speed", null, "standard"); // Faster answers, and those of one country, multiply all rates.
            }
            else if (surface == Surface.Messages && reader.ValueTextEquals("inference_geo"u8))
            {
                RefuseUnless("inference_geo", null, "global");
            }
            else if (surface.Dialect == Dialect.Messages && reader.ValueTextEquals("mcp_servers"u8))
            {
                ReadMcpServers();
            }
            else if (surface == Surface.Completions && reader.ValueTextEquals("best_of"u8))
            {
                Once("best_of", Seen.BestOf);
                choices = Math.Max(choices ?? 1, ReadCount("best_of", MaxChoices) ?? 1);
            }
            else if (surface == Surface.Completions && reader.ValueTextEquals("prompt_embeds"u8))
            {
                CountPrompts();
                reader.Read();
                reader.Skip();
            }
            else
            {
                return false;
            }

            return true;
        }

        /// <summary>What is spoken costs by its characters; what is said about how to speak costs as text.</summary>
        private void ReadSpeechMember()
        {
            if (reader.ValueTextEquals("input"u8))
            {
                Once("input", Seen.Input);
                reader.Read();
                if (reader.TokenType != JsonTokenType.String)
                {
                    Refuse(CallFailure.InvalidField, "`input` must be a text: what is to be spoken.", "input");
                    reader.Skip();
                    return;
                }

                textBytes += TextLength.Of(reader);
                foreach (var unused in reader.GetString()!.EnumerateRunes())
                {
                    characters++;
                }
            }
            else if (reader.ValueTextEquals("instructions"u8))
            {
                Once("instructions", Seen.Instructions);
                ReadInput();
            }
            else if (reader.ValueTextEquals("stream_format"u8))
            {
                Once("stream_format", Seen.StreamFormat);
                reader.Read();
                stream = reader.TokenType == JsonTokenType.String && reader.ValueTextEquals("sse"u8);
                reader.Skip();
            }
            else
            {
                SkipMember();
            }
        }

        /// <summary>Refuses a member that says anything but what goes without saying.</summary>
        /// <param name="name">Its name.</param>
        /// <param name="why">Why; null: it has a price of its own.</param>
        /// <param name="usual">Texts that it may be.</param>
        private void RefuseUnless(string name, string? why, params ReadOnlySpan<string> usual)
        {
            reader.Read();
            var isUsual = reader.TokenType == JsonTokenType.Null;
            foreach (var text in usual)
            {
                isUsual |= reader.TokenType == JsonTokenType.String && reader.ValueTextEquals(text);
            }

            if (!isUsual)
            {
                Refuse(CallFailure.NotPriced, why ?? $"This `{name}` has a price of its own, which listings cannot declare: leave it out, or say `{usual[0]}`.", name);
            }

            reader.Skip();
        }

        private void ReadMcpServers()
        {
            reader.Read();
            var isEmpty = reader.TokenType == JsonTokenType.Null;
            if (reader.TokenType == JsonTokenType.StartArray)
            {
                var ahead = reader;
                isEmpty = ahead.Read() && ahead.TokenType == JsonTokenType.EndArray;
            }

            if (!isEmpty)
            {
                Refuse(CallFailure.NotPriced, "What `mcp_servers` give to the model has no bound: call the servers yourself, with tools of your own.", "mcp_servers");
            }

            reader.Skip();
        }

        private void ReadModalities()
        {
            reader.Read();
            if (reader.TokenType != JsonTokenType.StartArray)
            {
                reader.Skip();
                return;
            }

            while (reader.Read() && reader.TokenType != JsonTokenType.EndArray)
            {
                audio |= reader.TokenType == JsonTokenType.String && reader.ValueTextEquals("audio"u8);
                reader.Skip();
            }
        }

        /// <summary>Each tool's <c>type</c>, and how often a search may run.</summary>
        private void ReadTools()
        {
            reader.Read();
            if (reader.TokenType != JsonTokenType.StartArray)
            {
                reader.Skip();
                return;
            }

            while (reader.Read() && reader.TokenType != JsonTokenType.EndArray)
            {
                toolTokens = Math.Max(toolTokens, ToolPrompts.OfAny);
                if (reader.TokenType == JsonTokenType.StartObject)
                {
                    ReadTool();
                }
                else
                {
                    reader.Skip();
                }
            }
        }

        /// <summary>Whether a shell's environment is another than the caller's own.</summary>
        private static bool IsHosted(Utf8JsonReader environment)
        {
            if (environment.TokenType != JsonTokenType.StartObject)
            {
                return environment.TokenType != JsonTokenType.Null;
            }

            var isLocal = false;
            while (environment.Read() && environment.TokenType == JsonTokenType.PropertyName)
            {
                var isType = environment.ValueTextEquals("type"u8);
                environment.Read();
                isLocal = isType ? environment.TokenType == JsonTokenType.String && environment.ValueTextEquals("local"u8) : isLocal;
                environment.Skip();
            }

            return !isLocal;
        }

        private void ReadTool()
        {
            string? type = null;
            int? maxUses = null;
            var isHosted = false;
            while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
            {
                var isType = reader.ValueTextEquals("type"u8);
                var isMaxUses = reader.ValueTextEquals("max_uses"u8);
                var isEnvironment = reader.ValueTextEquals("environment"u8);
                reader.Read();
                isHosted |= isEnvironment && IsHosted(reader);
                type = isType && reader.TokenType == JsonTokenType.String ? reader.GetString() : type;
                maxUses = isMaxUses && reader.TokenType == JsonTokenType.Number && reader.TryGetInt32(out var uses) && uses > 0 ? uses : maxUses;
                reader.Skip();
            }

            toolTokens += ToolPrompts.Of(type);
            if (type == "shell" && isHosted)
            {
                Refuse(CallFailure.NotPriced, "A `shell` in a container of the provider costs apart, and cannot be priced yet: give it the `environment` of type `local`.", "tools");
                return;
            }

            if (type?.StartsWith("web_fetch_", StringComparison.Ordinal) == true)
            {
                readsWeb = media = true;
                return;
            }

            if (type is null || FreeTools.Contains(type) || FreeToolFamilies.Any(family => type.StartsWith(family, StringComparison.Ordinal)))
            {
                return;
            }

            if (type.StartsWith("web_search", StringComparison.Ordinal))
            {
                searchesWeb = media = true;
                if (surface.Dialect == Dialect.Messages)
                {
                    searchesUnbounded |= maxUses is null;
                    maxWebSearches = (int)Math.Min(int.MaxValue, (long)(maxWebSearches ?? 0) + (maxUses ?? 0)); // Each tool has a bound of its own.
                }

                return;
            }

            if (type == "mcp")
            {
                Refuse(CallFailure.NotPriced, "What a tool of type `mcp` gives to the model has no bound: call the server yourself, with tools of type `function`.", "tools");
                return;
            }

            Refuse(CallFailure.NotPriced, $"The provider's own tool `{(type.Length > 60 ? type[..60] : type)}` costs apart, and cannot be priced yet.", "tools");
        }
    }
}
