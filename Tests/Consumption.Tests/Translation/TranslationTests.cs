using System.Buffers;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using FsCheck;
using FsCheck.Xunit;
using LlmMarketplace.Consumption.Calls;
using LlmMarketplace.Consumption.Translation;
using Xunit;

namespace LlmMarketplace.Consumption.Tests.Translation;

public class TranslationTests
{
    private static readonly string Folder = Path.Combine(AppContext.BaseDirectory, "Translation", "Golden");
    private static readonly string[] Streams = [.. Directory.EnumerateFiles(Folder, "*.in.sse", SearchOption.AllDirectories).Order(StringComparer.Ordinal)];

    [Property]
    public void Any_split_of_a_stream_translates_to_the_same(NonNegativeInt which, int[] sizes)
    {
        var file = Streams[which.Get % Streams.Length];
        var pair = Path.GetFileName(Path.GetDirectoryName(file)!);
        var bytes = File.ReadAllBytes(file);
        var whole = Translating.Stream(pair, [bytes]);
        var split = Translating.Stream(pair, Translating.Split(bytes, sizes));
        Assert.Equal(Translating.Text(whole.Output), Translating.Text(split.Output));
        Assert.Equal(whole.State, split.State);
        Assert.NotEqual(StreamState.Open, split.State);
        Assert.Equal(whole.Translator.Usage, split.Translator.Usage);
        Assert.Equal(whole.Translator.TextBytes, split.Translator.TextBytes);
    }

    [Property(MaxTest = 2000)]
    public void A_damaged_stream_is_a_JsonException_or_translates(NonNegativeInt which, NonNegativeInt at, byte value, bool remove)
    {
        var file = Streams[which.Get % Streams.Length];
        var bytes = File.ReadAllBytes(file).ToList();
        var place = at.Get * 37 % bytes.Count;
        if (remove)
        {
            bytes.RemoveRange(place, Math.Min(1 + (value % 40), bytes.Count - place));
        }
        else
        {
            bytes[place] = value;
        }

        try
        {
            Translating.Stream(Path.GetFileName(Path.GetDirectoryName(file)!), [bytes.ToArray()]);
        }
        catch (JsonException)
        {
            // The one declared error.
        }
    }

    [Theory]
    [InlineData("Chat", """{"model":"m","max_tokens":1,"messages":[{"role":"user","content":"a","name":"bob"}]}""", "messages[0].name")]
    [InlineData("Chat", """{"model":"m","max_tokens":1,"messages":[],"seed":1}""", "seed")]
    [InlineData("Chat", """{"model":"m","max_tokens":1,"messages":[],"n":2}""", "n")]
    [InlineData("Chat", """{"model":"m","max_tokens":1,"messages":[],"temperature":1.5}""", "temperature")]
    [InlineData("Chat", """{"model":"m","max_tokens":1,"messages":[],"response_format":{"type":"json_object"}}""", "response_format.type")]
    [InlineData("Chat", """{"model":"m","max_tokens":1,"messages":[{"role":"user","content":[{"type":"input_audio","input_audio":{}}]}]}""", "messages[0].content[0].type")]
    [InlineData("Chat", """{"model":"m","max_tokens":1,"messages":[{"role":"user","content":"a"},{"role":"system","content":"b"}]}""", "messages[1].role")]
    [InlineData("Messages", """{"model":"m","max_tokens":1,"messages":[],"top_k":5}""", "top_k")]
    [InlineData("Messages", """{"model":"m","max_tokens":1,"messages":[{"role":"assistant","content":[{"type":"thinking","thinking":"a","signature":"x"}]}]}""", "messages[0].content[0].type")]
    [InlineData("Messages", """{"model":"m","max_tokens":1,"messages":[],"thinking":{"type":"enabled","budget_tokens":1024}}""", "thinking")]
    [InlineData("Messages", """{"model":"m","max_tokens":1,"messages":[],"context_management":{"edits":[{"type":"clear_tool_uses_20250919"}]}}""", "context_management")]
    [InlineData("Responses", """{"model":"m","input":"a","previous_response_id":"resp_1"}""", "previous_response_id")]
    [InlineData("Responses", """{"model":"m","input":"a","tools":[{"type":"web_search"}]}""", "tools[0].type")]
    [InlineData("Responses", """{"model":"m","input":"a","store":true}""", "store")]
    [InlineData("Chat to Gemini", """{"model":"m","messages":[],"n":2}""", "n")]
    [InlineData("Chat to Gemini", """{"model":"m","messages":[],"parallel_tool_calls":false}""", "parallel_tool_calls")]
    [InlineData("Chat to Gemini", """{"model":"m","messages":[],"logit_bias":{}}""", "logit_bias")]
    [InlineData("Chat to Gemini", """{"model":"m","messages":[{"role":"user","content":[{"type":"image_url","image_url":{"url":"https://example.com/a.png"}}]}]}""", "messages[0].content[0].image_url.url")]
    [InlineData("Chat to Gemini", """{"model":"m","messages":[{"role":"user","content":"a"},{"role":"system","content":"b"}]}""", "messages[1].role")]
    [InlineData("Chat to Gemini", """{"model":"m","messages":[],"reasoning_effort":"extreme"}""", "reasoning_effort")]
    [InlineData("Chat to Gemini", """{"model":"m","messages":[],"tools":[{"type":"custom","custom":{}}]}""", "tools[0].type")]
    [InlineData("Chat to Converse", """{"model":"m","messages":[],"seed":1}""", "seed")]
    [InlineData("Chat to Converse", """{"model":"m","messages":[],"temperature":1.5}""", "temperature")]
    [InlineData("Chat to Converse", """{"model":"m","messages":[],"reasoning_effort":"low"}""", "reasoning_effort")]
    [InlineData("Chat to Converse", """{"model":"m","messages":[],"tools":[],"tool_choice":"none"}""", "tool_choice")]
    [InlineData("Chat to Converse", """{"model":"m","messages":[],"response_format":{"type":"json_object"}}""", "response_format.type")]
    [InlineData("Chat to Converse", """{"model":"m","messages":[{"role":"user","content":[{"type":"image_url","image_url":{"url":"https://example.com/a.png"}}]}]}""", "messages[0].content[0].image_url.url")]
    [InlineData("Messages to Gemini", """{"model":"m","max_tokens":1,"messages":[],"metadata":{"other":"u"}}""", "metadata.other")]
    [InlineData("Messages to Gemini", """{"model":"m","max_tokens":1,"messages":[],"tool_choice":{"type":"auto","disable_parallel_tool_use":true}}""", "tool_choice.disable_parallel_tool_use")]
    [InlineData("Messages to Gemini", """{"model":"m","max_tokens":1,"messages":[],"output_config":{"effort":"max"}}""", "output_config.effort")]
    [InlineData("Messages to Gemini", """{"model":"m","max_tokens":1,"messages":[],"thinking":{"type":"adaptive","much":1}}""", "thinking.much")]
    [InlineData("Messages to Gemini", """{"model":"m","max_tokens":1,"system":"s","messages":[{"role":"user","content":[{"type":"text","text":"a"},{"type":"image","source":{"type":"url","url":"https://example.com/a.png"}}]}]}""", "messages[0].content[1].source")]
    [InlineData("Messages to Gemini", """{"model":"m","max_tokens":1,"messages":[{"role":"user","content":[{"type":"document","title":"a","source":{"type":"base64","media_type":"application/pdf","data":"YQ=="}}]}]}""", "messages[0].content[0].title")]
    [InlineData("Messages to Gemini", """{"model":"m","max_tokens":1,"messages":[{"role":"assistant","content":[{"type":"thinking","thinking":"a","signature":"x"}]}]}""", "messages[0].content[0].type")]
    [InlineData("Messages to Converse", """{"model":"m","max_tokens":1,"messages":[],"top_k":5}""", "top_k")]
    [InlineData("Messages to Converse", """{"model":"m","max_tokens":1,"messages":[],"tools":[{"name":"f","input_schema":{}}],"tool_choice":{"type":"none"}}""", "tool_choice")]
    [InlineData("Messages to Converse", """{"model":"m","max_tokens":1,"messages":[{"role":"user","content":[{"type":"document","source":{"type":"base64","media_type":"image/tiff","data":"YQ=="}}]}]}""", "messages[0].content[0].source")]
    [InlineData("Responses to Messages", """{"model":"m","input":"a","reasoning":{"effort":"minimal"}}""", "reasoning.effort")]
    [InlineData("Responses to Messages", """{"model":"m","input":"a","text":{"verbosity":"low"}}""", "text.verbosity")]
    [InlineData("Responses to Messages", """{"model":"m","input":"a","text":{"format":{"type":"json_schema","name":"n","description":"d","schema":{}}}}""", "text.format.description")]
    [InlineData("Responses to Messages", """{"model":"m","input":"a","text":{"format":{"type":"json_object"}}}""", "text.format.type")]
    [InlineData("Responses to Messages", """{"model":"m","input":[{"role":"user","content":"a"},{"role":"developer","content":"b"}]}""", "input[1].role")]
    [InlineData("Responses to Messages", """{"model":"m","input":[{"role":"user","content":[{"type":"input_text","text":"a"},{"type":"input_image","image_url":"https://example.com/a.png","detail":"low"}]}]}""", "input[0].content[1].detail")]
    [InlineData("Responses to Messages", """{"model":"m","input":[{"type":"reasoning","summary":[],"encrypted_content":"of another"}]}""", "input[0].type")]
    [InlineData("Responses to Gemini", """{"model":"m","input":[{"role":"user","content":[{"type":"input_image","image_url":"https://example.com/a.png"}]}]}""", "input[0].content[0].image_url")]
    [InlineData("Responses to Gemini", """{"model":"m","input":"a","tools":[{"type":"web_search"}]}""", "tools[0].type")]
    [InlineData("Responses to Converse", """{"model":"m","input":"a","reasoning":{"effort":"low"}}""", "reasoning.effort")]
    [InlineData("Responses to Converse", """{"model":"m","input":"a","parallel_tool_calls":false}""", "parallel_tool_calls")]
    public void What_cannot_be_translated_is_refused_by_name_and_dropped_only_on_request(string dialect, string body, string param)
    {
        var (caller, provider) = Pair(dialect);
        var bytes = Encoding.UTF8.GetBytes(body);
        var strict = Translators.Request(caller, provider, bytes, new TranslationOptions(MaxTokens: 9));
        Assert.Equal(param, strict.Refusal?.Param);
        Assert.False(strict.Refusal!.IsMalformed);
        Assert.True(strict.Body.IsEmpty);

        var lenient = Translators.Request(caller, provider, bytes, new TranslationOptions(MaxTokens: 9, Lenient: true));
        Assert.Null(lenient.Refusal);
        Assert.Equal([param], lenient.Dropped);
        using var valid = JsonDocument.Parse(lenient.Body);
    }

    [Theory]
    [InlineData("Chat to Gemini", """{"model":"m","messages":[],"user":"bob"}""", "user")]
    [InlineData("Chat to Converse", """{"model":"m","messages":[],"safety_identifier":"bob","user":"b"}""", "safety_identifier", "user")]
    [InlineData("Messages to Gemini", """{"model":"m","max_tokens":1,"messages":[],"metadata":{"user_id":"bob"}}""", "metadata.user_id")]
    [InlineData("Messages to Converse", """{"model":"m","max_tokens":1,"messages":[],"metadata":{"user_id":"bob"}}""", "metadata.user_id")]
    [InlineData("Responses to Gemini", """{"model":"m","input":"a","user":"bob"}""", "user")]
    [InlineData("Responses to Converse", """{"model":"m","input":"a","safety_identifier":"bob"}""", "safety_identifier")]
    [InlineData("Chat", """{"model":"m","max_tokens":1,"messages":[],"user":"bob","safety_identifier":"ann"}""", "user")]
    public void The_end_user_is_withheld_from_a_provider_that_knows_none_and_the_caller_is_told(string pair, string body, params string[] withheld)
    {
        var (caller, provider) = Pair(pair);

        var translated = Translators.Request(caller, provider, Encoding.UTF8.GetBytes(body), new TranslationOptions(MaxTokens: 9));

        Assert.Null(translated.Refusal);
        Assert.Equal(withheld, translated.Dropped);
        Assert.DoesNotContain("bob", Encoding.UTF8.GetString(translated.Body.Span), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("Chat", """{"model":"m","max_tokens":1,"messages":[],"prompt_cache_key":"bob","prompt_cache_retention":"24h","metadata":{"a":"bob"},"store":true}""", "prompt_cache_key", "prompt_cache_retention", "metadata", "store")]
    [InlineData("Chat to Gemini", """{"model":"m","messages":[],"prompt_cache_key":"bob","metadata":{}}""", "prompt_cache_key", "metadata")]
    [InlineData("Chat to Converse", """{"model":"m","messages":[],"prompt_cache_key":"bob","metadata":{}}""", "prompt_cache_key", "metadata")]
    [InlineData("Messages", """{"model":"m","max_tokens":1,"messages":[],"thinking":{"type":"adaptive"},"context_management":{"edits":[{"type":"clear_thinking_20251015","keep":"all"}]}}""", "thinking", "context_management")]
    [InlineData("Messages to Gemini", """{"model":"m","max_tokens":1,"messages":[],"context_management":{"edits":[{"type":"clear_thinking_20251015"}]}}""", "context_management")]
    [InlineData("Responses", """{"model":"m","input":"a","reasoning":{"summary":"auto"},"prompt_cache_retention":"24h","client_metadata":{"a":"bob"}}""", "reasoning.summary", "prompt_cache_retention", "client_metadata")]
    [InlineData("Responses to Messages", """{"model":"m","input":"a","prompt_cache_key":"bob","reasoning":{"summary":"auto"}}""", "reasoning.summary", "prompt_cache_key")]
    public void What_changes_no_answer_is_withheld_from_a_provider_that_does_not_know_it_and_the_caller_is_told(string pair, string body, params string[] withheld)
    {
        var (caller, provider) = Pair(pair);

        var translated = Translators.Request(caller, provider, Encoding.UTF8.GetBytes(body), new TranslationOptions(MaxTokens: 9));

        Assert.Null(translated.Refusal);
        Assert.Equal(withheld, translated.Dropped);
        Assert.DoesNotContain("bob", Encoding.UTF8.GetString(translated.Body.Span), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("Chat", """{"model":"m","max_tokens":1,"messages":[],"service_tier":"auto","verbosity":"medium","reasoning_effort":"none","top_logprobs":0,"store":false}""")]
    [InlineData("Chat", """{"model":"m","max_tokens":1,"messages":[{"role":"assistant","content":"a","annotations":[],"reasoning_content":"b","reasoning":"b"},{"role":"tool","tool_call_id":"c","name":"f","content":"d"}]}""")]
    [InlineData("Chat to Gemini", """{"model":"m","messages":[{"role":"user","content":[{"type":"text","text":"a","cache_control":{"type":"ephemeral"}}]},{"role":"assistant","content":"a","annotations":[]}],"service_tier":"default"}""")]
    [InlineData("Chat to Converse", """{"model":"m","messages":[{"role":"system","content":"s","cache_control":{"type":"ephemeral"}},{"role":"user","content":"a"},{"role":"assistant","content":"a","annotations":[],"reasoning_content":"b"}]}""")]
    [InlineData("Messages", """{"model":"m","max_tokens":1,"messages":[],"service_tier":"standard_only","tools":[{"name":"f","input_schema":{},"eager_input_streaming":true,"defer_loading":false}]}""")]
    [InlineData("Responses", """{"model":"m","input":"a","service_tier":"auto","max_tool_calls":5,"top_logprobs":0,"stream_options":{"include_obfuscation":false}}""")]
    [InlineData("Responses to Messages", """{"model":"m","input":"a","reasoning":{"effort":"none"}}""")]
    public void What_the_provider_does_anyway_is_no_reason_to_refuse_a_call_or_to_tell_of_it(string pair, string body)
    {
        var (caller, provider) = Pair(pair);

        var translated = Translators.Request(caller, provider, Encoding.UTF8.GetBytes(body), new TranslationOptions(MaxTokens: 9));

        Assert.Null(translated.Refusal);
        Assert.Empty(translated.Dropped);
    }

    [Theory]
    [InlineData("""{"model":"m","max_tokens":1,"messages":[],"user":"bob","safety_identifier":"ann"}""", "ann")]
    [InlineData("""{"model":"m","max_tokens":1,"messages":[],"safety_identifier":"ann"}""", "ann")]
    [InlineData("""{"model":"m","max_tokens":1,"messages":[],"safety_identifier":"","user":"bob"}""", "bob")]
    public void The_end_user_of_a_chat_is_the_one_of_its_record_at_providers_of_messages(string body, string user)
    {
        var translated = Translators.Request(Dialect.Chat, Dialect.Messages, Encoding.UTF8.GetBytes(body), new TranslationOptions());

        Assert.Equal(user, JsonNode.Parse(translated.Body.Span)!["metadata"]!["user_id"]!.GetValue<string>());
    }

    [Theory]
    [InlineData("Chat", """{"model":"m","messages":[]}""", "max_tokens")]
    [InlineData("Chat", """{"model":"m","max_tokens":1,"messages":5}""", "messages")]
    [InlineData("Chat", """{"model":"m","max_tokens":1,"messages":[],"stop":["a",1]}""", "stop[1]")]
    [InlineData("Chat", """{"model":"m","max_tokens":1,"max_tokens":2,"messages":[]}""", "")]
    [InlineData("Chat", """{"model":"m","max_tokens":1,"messages":[],"user":"\ud83d"}""", "")]
    [InlineData("Messages", """{"model":"m","max_tokens":1,"messages":[{"role":"system","content":"a"}]}""", "messages[0].role")]
    [InlineData("Messages", """{"model":"m","max_tokens":1,"messages":[{"role":"user","content":[{"type":"text","text":"a","cache_control":true}]}]}""", "messages[0].content[0].cache_control")]
    [InlineData("Messages", """{"model":"m","max_tokens":1,"messages":[{"role":"user","content":[{"type":"tool_result","tool_use_id":"t","is_error":"yes"}]}]}""", "messages[0].content[0].is_error")]
    [InlineData("Responses", """{"model":"m"}""", "input")]
    [InlineData("Chat to Gemini", """{"model":"m","messages":[{"role":"tool","tool_call_id":"x","content":"a"}]}""", "messages[0].tool_call_id")]
    [InlineData("Chat to Gemini", """{"model":"m","messages":[],"stop":[1]}""", "stop[0]")]
    [InlineData("Chat to Gemini", """{"model":"m","messages":[],"temperature":"hot"}""", "temperature")]
    [InlineData("Chat to Converse", """{"model":"m","messages":[{"role":"tool","content":"a"}]}""", "messages[0].tool_call_id")]
    [InlineData("Chat to Converse", """{"model":"m","messages":[],"tools":[],"tool_choice":"maybe"}""", "tool_choice")]
    [InlineData("Messages to Gemini", """{"model":"m","max_tokens":1,"system":"s","messages":[{"role":"user","content":[{"type":"tool_result","tool_use_id":"t","content":"a"}]}]}""", "messages[0].content[0].tool_use_id")]
    [InlineData("Messages to Gemini", """{"model":"m","max_tokens":1,"messages":[],"thinking":{"type":"deep"}}""", "thinking.type")]
    [InlineData("Messages to Converse", """{"model":"m","max_tokens":1,"messages":[],"tool_choice":{"type":"maybe"}}""", "tool_choice.type")]
    [InlineData("Messages to Converse", """{"model":"m","max_tokens":1,"messages":[],"thinking":{"budget_tokens":1024}}""", "thinking.type")]
    [InlineData("Responses to Messages", """{"model":"m","input":"a","tools":[{"type":"function","name":"f","parameters":5}]}""", "tools[0].parameters")]
    [InlineData("Responses to Gemini", """{"model":"m","input":[{"role":"user","content":"a"},{"type":"function_call","call_id":"c","name":"f","arguments":"[]"}]}""", "input[1].arguments")]
    [InlineData("Responses to Converse", """{"model":"m"}""", "input")]
    public void What_is_wrong_is_refused_even_when_gaps_are_dropped(string dialect, string body, string param)
    {
        var (caller, provider) = Pair(dialect);
        var translated = Translators.Request(caller, provider, Encoding.UTF8.GetBytes(body), new TranslationOptions(MaxTokens: body.Contains("max_tokens", StringComparison.Ordinal) || dialect != "Chat" ? 9 : null, Lenient: true));
        Assert.True(translated.Refusal?.IsMalformed);
        Assert.Equal(param, translated.Refusal!.Param);
    }

    [Theory]
    [InlineData(""","content":"no \u00e9 file\n" """, """["Error: no é file\n"]""")]
    [InlineData(""","content":[{"type":"text","text":"no file"}]""", """["Error: ","no file"]""")]
    [InlineData("", """["Error: "]""")]
    public void A_failed_tool_result_says_so_in_its_text(string content, string texts)
    {
        var body = $$$"""{"model":"m","max_tokens":1,"messages":[{"role":"user","content":[{"type":"tool_result","tool_use_id":"t","is_error":true{{{content}}}}]}]}""";
        var translated = Translators.Request(Dialect.Messages, Dialect.Chat, Encoding.UTF8.GetBytes(body), new TranslationOptions());
        Assert.Null(translated.Refusal);

        var said = JsonNode.Parse(translated.Body.Span)!["messages"]![0]!["content"]!;
        string[] actual = said is JsonArray parts ? [.. parts.Select(part => part!["text"]!.GetValue<string>())] : [said.GetValue<string>()];
        Assert.Equal(JsonSerializer.Deserialize<string[]>(texts), actual);
    }

    [Fact]
    public void Where_to_cache_changes_nothing_at_a_provider_that_caches_by_itself()
    {
        const string Hint = ""","cache_control":{"type":"ephemeral","ttl":"1h"}""";
        const string Hinted = $$"""
            {"model":"m","max_tokens":1{{Hint}},"system":[{"type":"text","text":"a"{{Hint}}}],"tools":[{"name":"f","input_schema":{}{{Hint}}}],"messages":[
            {"role":"user","content":[{"type":"text","text":"b"{{Hint}}},{"type":"image","source":{"type":"url","url":"https://example.com/a.png"}{{Hint}}},
            {"type":"document","source":{"type":"base64","media_type":"application/pdf","data":"YQ=="}{{Hint}}}]},
            {"role":"assistant","content":[{"type":"tool_use","id":"t","name":"f","input":{}{{Hint}}}]},
            {"role":"user","content":[{"type":"tool_result","tool_use_id":"t","content":[{"type":"text","text":"c"{{Hint}}}]{{Hint}}}]}]}
            """;
        var hinted = Translators.Request(Dialect.Messages, Dialect.Chat, Encoding.UTF8.GetBytes(Hinted), new TranslationOptions());
        var plain = Translators.Request(Dialect.Messages, Dialect.Chat, Encoding.UTF8.GetBytes(Hinted.Replace(Hint, "", StringComparison.Ordinal)), new TranslationOptions());
        Assert.Null(hinted.Refusal);
        Assert.Empty(hinted.Dropped);
        Assert.Equal(Encoding.UTF8.GetString(plain.Body.Span), Encoding.UTF8.GetString(hinted.Body.Span));
    }

    [Property]
    public void A_conversation_survives_there_and_back((int Kind, NonEmptyString Text)[] turns)
    {
        var messages = new JsonArray(new JsonObject { ["role"] = "system", ["content"] = Parts("Be brief.") });
        foreach (var (index, (kind, text)) in turns.Index())
        {
            var said = new string([.. text.Get.Where(one => !char.IsSurrogate(one))]) + ".";
            switch (Math.Abs(kind % 3))
            {
                case 0:
                    messages.Add(new JsonObject { ["role"] = "user", ["content"] = Parts(said) });
                    break;
                case 1:
                    messages.Add(new JsonObject { ["role"] = "assistant", ["content"] = Parts(said) });
                    break;
                default:
                    var arguments = new JsonObject { ["value"] = said }.ToJsonString();
                    messages.Add(new JsonObject { ["role"] = "assistant", ["tool_calls"] = new JsonArray(new JsonObject { ["id"] = $"call_{index}", ["type"] = "function", ["function"] = new JsonObject { ["name"] = "f", ["arguments"] = arguments } }) });
                    messages.Add(new JsonObject { ["role"] = "tool", ["tool_call_id"] = $"call_{index}", ["content"] = said });
                    break;
            }
        }

        var request = new JsonObject { ["model"] = "m", ["max_completion_tokens"] = 10, ["messages"] = messages };
        var there = Translators.Request(Dialect.Chat, Dialect.Messages, Encoding.UTF8.GetBytes(request.ToJsonString()), new TranslationOptions());
        Assert.Null(there.Refusal);
        var back = Translators.Request(Dialect.Messages, Dialect.Chat, there.Body, new TranslationOptions());
        Assert.Null(back.Refusal);
        Assert.True(JsonNode.DeepEquals(request, JsonNode.Parse(back.Body.Span)), Translating.Text(back.Body));
    }

    [Theory]
    [InlineData("Chat", "data: {\"error\":")]
    [InlineData("Chat to Gemini", "data: {\"error\":")]
    [InlineData("Chat to Converse", "data: {\"error\":")]
    [InlineData("Messages", "event: error\ndata: {\"type\":\"error\"")]
    [InlineData("Responses", "event: error\ndata: {\"type\":\"error\"")]
    [InlineData("Messages to Gemini", "event: error\ndata: {\"type\":\"error\"")]
    [InlineData("Responses to Converse", "event: error\ndata: {\"type\":\"error\"")]
    public void A_cut_stream_ends_with_an_error_event_of_the_callers_protocol_and_takes_no_more(string dialect, string begin)
    {
        using var translator = Translators.Stream(Pair(dialect).Caller, Pair(dialect).Provider, Translating.Head);
        var output = new ArrayBufferWriter<byte>();
        translator.WriteError(new CallRefusal(CallFailure.ProviderFailed), output);
        Assert.StartsWith(begin, Translating.Text(output.WrittenMemory), StringComparison.Ordinal);
        Assert.Equal(StreamState.Failed, translator.State);
        Assert.Throws<JsonException>(() => translator.Feed("{}"u8, output));
    }

    [Theory]
    [InlineData("Messages", "[DONE]")]
    [InlineData("Responses", "[DONE]")]
    [InlineData("Chat", """{"type":"message_stop"}""")]
    [InlineData("Responses to Messages", """{"type":"message_stop"}""")]
    public void A_stream_that_ends_without_a_reason_is_no_clean_end(string dialect, string end)
    {
        using var translator = Translators.Stream(Pair(dialect).Caller, Pair(dialect).Provider, Translating.Head);
        var output = new ArrayBufferWriter<byte>();
        Assert.Throws<JsonException>(() => translator.Feed(Encoding.UTF8.GetBytes(end), output));
        Assert.Equal(0, output.WrittenCount);
    }

    /// <summary>A caller's dialect and the provider's, for instance <c>Chat</c> or <c>Chat to Gemini</c>.</summary>
    private static (Dialect Caller, Dialect Provider) Pair(string dialects)
    {
        var words = dialects.Split(" to ");
        var caller = Enum.Parse<Dialect>(words[0]);
        return (caller, words.Length == 1 ? Translating.Provider(caller) : Enum.Parse<Dialect>(words[1]));
    }

    private static JsonArray Parts(string text) => new(new JsonObject { ["type"] = "text", ["text"] = text });
}
