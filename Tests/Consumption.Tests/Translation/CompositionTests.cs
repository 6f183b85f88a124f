using System.Buffers;
using System.Text;
using System.Text.Json.Nodes;
using LlmMarketplace.Consumption.Calls;
using LlmMarketplace.Consumption.Pricing;
using LlmMarketplace.Consumption.Translation;
using Xunit;

namespace LlmMarketplace.Consumption.Tests.Translation;

/// <summary>What only two steps together have to hold to; what each direction writes stands in its golden files.</summary>
public class CompositionTests
{
    private static readonly string Folder = Path.Combine(AppContext.BaseDirectory, "Translation", "Golden");

    private static readonly TokenUsage FromConverse = new(130, 40, 20) { CacheWriteTokens = 20, CacheWrite1hTokens = 10 };

    [Fact]
    public void What_either_step_drops_is_told_in_the_callers_words()
    {
        const string Body = """{"model":"m","max_tokens":1,"container":"c","top_k":5,"system":"s","messages":[{"role":"user","content":[{"type":"search_result"},{"type":"text","text":"a"},{"type":"image","source":{"type":"url","url":"https://example.com/a.png"}}]}]}""";
        var translated = Translators.Request(Dialect.Messages, Dialect.Converse, Encoding.UTF8.GetBytes(Body), new TranslationOptions(Lenient: true));

        Assert.Equal(["container", "messages[0].content[0].type", "top_k", "messages[0].content[2].source"], translated.Dropped);
    }

    [Theory]
    [InlineData("eu.anthropic.claude-sonnet-4-20250514-v1:0", """{"type":"enabled","budget_tokens":1024}""", true)]
    [InlineData("anthropic.claude-opus-4-7", """{"type":"adaptive","display":"omitted"}""", true)]
    [InlineData("anthropic.claude-opus-4-7", """{"type":"disabled"}""", true)]
    [InlineData("arn:aws:bedrock:eu-central-1:123456789012:application-inference-profile/a1b2", """{"type":"adaptive"}""", true)]
    [InlineData("arn:aws:bedrock:eu-central-1:123456789012:inference-profile/eu.amazon.nova-pro-v1:0", """{"type":"disabled"}""", false)]
    [InlineData("eu.amazon.nova-pro-v1:0", """{"type":"disabled"}""", false)]
    public void Thinking_reaches_Claude_by_Converse_as_it_stands_and_none_reaches_others(string model, string thinking, bool isTold)
    {
        var body = $$"""{"model":"m","max_tokens":4096,"thinking":{{thinking}},"messages":[]}""";
        var translated = Translators.Request(Dialect.Messages, Dialect.Converse, Encoding.UTF8.GetBytes(body), new TranslationOptions(model));

        Assert.Null(translated.Refusal);
        Assert.Empty(translated.Dropped);
        Assert.Equal(isTold ? thinking : null, JsonNode.Parse(translated.Body.Span)!["additionalModelRequestFields"]?["thinking"]?.ToJsonString());
    }

    [Theory]
    [InlineData("eu.amazon.nova-pro-v1:0")]
    [InlineData("arn:aws:bedrock:eu-central-1:123456789012:inference-profile/eu.amazon.nova-pro-v1:0")]
    public void Thinking_is_refused_by_name_where_the_model_is_anothers(string model)
    {
        var translated = Translators.Request(
            Dialect.Messages, Dialect.Converse, """{"model":"m","max_tokens":4096,"thinking":{"type":"enabled","budget_tokens":1024},"messages":[]}"""u8.ToArray(), new TranslationOptions(model));

        Assert.Equal(("thinking", false, "At this provider only Claude takes `thinking`."), (translated.Refusal?.Param, translated.Refusal!.IsMalformed, translated.Refusal.Reason));
    }

    [Fact]
    public void A_refusals_sentence_names_what_the_caller_wrote()
    {
        var translated = Translators.Request(Dialect.Responses, Dialect.Messages, """{"model":"m","input":"a","text":{"verbosity":"low"}}"""u8.ToArray(), new TranslationOptions(MaxTokens: 9));

        Assert.Equal("`text.verbosity` has no counterpart in the provider's protocol.", translated.Refusal?.Reason);
    }

    [Theory]
    [InlineData(Dialect.Messages)]
    [InlineData(Dialect.Responses)]
    public void Callers_are_told_the_usage_that_the_provider_told(object caller)
    {
        var output = new ArrayBufferWriter<byte>();
        Translators.Answer((Dialect)caller, Dialect.Converse, File.ReadAllBytes(Path.Combine(Folder, "ConverseAnswerToChat", "tools.in.json")), Translating.Head, output);
        var fields = default(UsageFields);
        ReadUsage.Read(output.WrittenSpan, (Dialect)caller, ref fields);
        var usage = JsonNode.Parse(output.WrittenSpan)!["usage"]!;

        Assert.Equal(FromConverse.InputTokens, fields.ToUsage((Dialect)caller)!.Value.InputTokens);
        Assert.Equal(30, (int)(usage["cache_creation_input_tokens"] ?? usage["input_tokens_details"]!["cache_write_tokens"])!);
    }

    [Theory]
    [InlineData("ConverseStreamToMessages")]
    [InlineData("ConverseStreamToResponses")]
    [InlineData("GeminiStreamToMessages")]
    [InlineData("GeminiStreamToResponses")]
    [InlineData("MessagesStreamToResponses")]
    public void A_stream_is_charged_by_the_providers_own_figures(string pair)
    {
        var bytes = File.ReadAllBytes(Path.Combine(Folder, pair, "tools.in.sse"));
        var composed = Translating.Stream(pair, [bytes]).Translator;
        var direct = Translating.Stream($"{pair.Split("To")[0]}ToChat", [bytes]).Translator;

        Assert.NotNull(composed.Usage);
        Assert.Equal(direct.Usage, composed.Usage);
        Assert.NotNull(composed.ProviderUsage);
        Assert.Equal(direct.ProviderUsage, composed.ProviderUsage);
        Assert.Equal(direct.TextBytes, composed.TextBytes);
    }

    [Theory]
    [InlineData(Dialect.Messages, Dialect.Gemini)]
    [InlineData(Dialect.Messages, Dialect.Converse)]
    [InlineData(Dialect.Responses, Dialect.Messages)]
    [InlineData(Dialect.Responses, Dialect.Gemini)]
    [InlineData(Dialect.Responses, Dialect.Converse)]
    public void What_a_provider_signed_goes_back_to_it_as_it_came(object from, object to)
    {
        var (caller, provider) = ((Dialect)from, (Dialect)to);
        var answer = File.ReadAllBytes(Path.Combine(Folder, $"{provider}AnswerToChat", "tools.in.json"));
        var output = new ArrayBufferWriter<byte>();
        Translators.Answer(caller, provider, answer, Translating.Head, output);
        var told = JsonNode.Parse(output.WrittenSpan)!;
        var request = caller == Dialect.Messages
            ? new JsonObject { ["model"] = "m", ["max_tokens"] = 9, ["messages"] = new JsonArray(new JsonObject { ["role"] = "assistant", ["content"] = told["content"]!.DeepClone() }) }
            : new JsonObject { ["model"] = "m", ["input"] = told["output"]!.DeepClone() };

        var back = Translators.Request(caller, provider, Encoding.UTF8.GetBytes(request.ToJsonString()), new TranslationOptions(MaxTokens: 9));

        Assert.Null(back.Refusal);
        Assert.Equal(Signed(JsonNode.Parse(answer)!), Signed(JsonNode.Parse(back.Body.Span)!));
    }

    [Fact]
    public void What_only_Gemini_reads_is_left_out_where_another_answers()
    {
        const string Body = """{"model":"m","max_tokens":1,"messages":[{"role":"assistant","content":[{"type":"redacted_thinking","data":"google.thought_signature:c2ln"},{"type":"tool_use","id":"t","name":"f","input":{}}]}]}""";
        var translated = Translators.Request(Dialect.Messages, Dialect.Converse, Encoding.UTF8.GetBytes(Body), new TranslationOptions());

        Assert.Null(translated.Refusal);
        Assert.DoesNotContain("c2ln", Encoding.UTF8.GetString(translated.Body.Span), StringComparison.Ordinal);
    }

    [Fact]
    public void A_providers_error_keeps_its_kind_over_two_steps()
    {
        using var stream = Translators.Stream(Dialect.Messages, Dialect.Gemini, Translating.Head);
        var output = new ArrayBufferWriter<byte>();

        Assert.Equal(StreamState.Failed, stream.Feed("""{"error":{"code":503,"message":"Busy.","status":"UNAVAILABLE"}}"""u8, output));
        Assert.Contains("\"type\":\"overloaded_error\"", Translating.Text(output.WrittenMemory), StringComparison.Ordinal);
    }

    /// <summary>All that is signed, and what it is signed with, in its order.</summary>
    private static List<string> Signed(JsonNode? node) => node switch
    {
        JsonArray array => [.. array.SelectMany(Signed)],
        JsonObject all => [.. all.SelectMany(member => member.Key is "signature" or "thoughtSignature" or "redactedContent" or "data" ? [$"{member.Key} {member.Value} {all["thinking"] ?? all["text"] ?? all["functionCall"]?["name"]}"] : Signed(member.Value))],
        _ => [],
    };
}
