using System.ClientModel;
using System.ClientModel.Primitives;
using System.Text.Json;
using System.Text.Json.Nodes;
using OpenAI;
using OpenAI.Chat;

namespace LlmMarketplace.Functional.Clients;

/// <summary>The NuGet package <c>OpenAI</c>.</summary>
internal sealed class DotNetClient : IOpenAiClient
{
    // It retries by status and retry-after alone.
    public bool ObeysShouldRetry => false;

    public bool SeesErrorEvents => false;

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    public string ExceptionOf(int? status) => nameof(ClientResultException);

    public void RequireInstalled()
    {
    }

    public async Task<JsonNode> RunAsync(Uri address, string key, string operation, string model, params string[] texts)
    {
        var sent = new SentRequests();
        var options = new OpenAIClientOptions { Endpoint = new Uri(address, "v1") };
        options.AddPolicy(sent, PipelinePosition.PerTry);
        var client = new OpenAIClient(new ApiKeyCredential(key), options);
        JsonObject outcome;
        try
        {
            outcome = operation switch
            {
                "models" => await ModelsAsync(client),
                "embed" => await EmbedAsync(client, model, texts),
                "chat" => await ChatAsync(client.GetChatClient(model), texts[0]),
                "repeat" => await RepeatAsync(client.GetChatClient(model), model, texts),
                "stream" => await StreamAsync(client.GetChatClient(model), texts[0], sent),
                _ => await ToolsAsync(client.GetChatClient(model), texts[0]),
            };
        }
        catch (ClientResultException refused)
        {
            var body = refused.GetRawResponse()?.Content.ToString();
            outcome = new JsonObject
            {
                ["error"] = new JsonObject
                {
                    ["name"] = nameof(ClientResultException),
                    ["status"] = refused.Status,
                    ["code"] = body is null ? null : (string?)JsonNode.Parse(body)!["error"]!["code"],
                    ["requestId"] = sent.LastRequestId,
                },
            };
        }

        outcome["requests"] = sent.Count;
        return outcome;
    }

    private static async Task<JsonObject> ModelsAsync(OpenAIClient client) => new()
    {
        ["ids"] = new JsonArray([.. (await client.GetOpenAIModelClient().GetModelsAsync(Cancellation)).Value.Select(model => JsonValue.Create(model.Id))]),
    };

    private static async Task<JsonObject> EmbedAsync(OpenAIClient client, string model, string[] texts)
    {
        var answer = await client.GetEmbeddingClient(model).GenerateEmbeddingsAsync(texts, cancellationToken: Cancellation);
        return new()
        {
            ["lengths"] = new JsonArray([.. answer.Value.Select(one => JsonValue.Create(one.ToFloats().Length))]),
            ["usage"] = Usage(answer.Value.Usage.InputTokenCount, 0),
            ["requestId"] = RequestId(answer.GetRawResponse()),
        };
    }

    private static async Task<JsonObject> ChatAsync(ChatClient client, string text)
    {
        var answer = await client.CompleteChatAsync([text], cancellationToken: Cancellation);
        return new()
        {
            ["text"] = answer.Value.Content[0].Text,
            ["finish"] = Wire(answer.Value.FinishReason),
            ["usage"] = Usage(answer.Value.Usage.InputTokenCount, answer.Value.Usage.OutputTokenCount),
            ["requestId"] = RequestId(answer.GetRawResponse()),
        };
    }

    private static async Task<JsonObject> RepeatAsync(ChatClient client, string model, string[] texts)
    {
        var (said, ids) = (new JsonArray(), new JsonArray());
        for (var i = 0; i < 2; i++)
        {
            var options = new RequestOptions { CancellationToken = Cancellation };
            options.SetHeader("Idempotency-Key", texts[1]);
            using var body = BinaryContent.Create(BinaryData.FromObjectAsJson(new { model, messages = new[] { new { role = "user", content = texts[0] } } }));
            var answer = (await client.CompleteChatAsync(body, options)).GetRawResponse();
            said.Add(JsonNode.Parse(answer.Content)!["choices"]![0]!["message"]!["content"]!.DeepClone());
            ids.Add(JsonValue.Create(RequestId(answer)));
        }

        return new() { ["texts"] = said, ["requestIds"] = ids };
    }

    private static async Task<JsonObject> StreamAsync(ChatClient client, string text, SentRequests sent)
    {
        var (words, usage, finish) = (new JsonArray(), (JsonObject?)null, (string?)null);
        await foreach (var update in client.CompleteChatStreamingAsync([text], cancellationToken: Cancellation))
        {
            foreach (var part in update.ContentUpdate.Where(part => part.Text.Length > 0))
            {
                words.Add(JsonValue.Create(part.Text));
            }

            finish = update.FinishReason is { } reason ? Wire(reason) : finish;
            usage = update.Usage is { } final ? Usage(final.InputTokenCount, final.OutputTokenCount) : usage;
        }

        return new() { ["words"] = words, ["finish"] = finish, ["usage"] = usage, ["requestId"] = sent.LastRequestId };
    }

    private static async Task<JsonObject> ToolsAsync(ChatClient client, string text)
    {
        var parameters = BinaryData.FromString("""{"type":"object","properties":{"port":{"type":"string"}},"required":["port"]}""");
        var options = new ChatCompletionOptions { Tools = { ChatTool.CreateFunctionTool("tide", "Height of the tide.", parameters) } };
        List<ChatMessage> messages = [new UserChatMessage(text)];
        var first = (await client.CompleteChatAsync(messages, options, Cancellation)).Value;
        var call = first.ToolCalls[0];
        messages.AddRange([new AssistantChatMessage(first), new ToolChatMessage(call.Id, "4.2 m")]);
        var second = (await client.CompleteChatAsync(messages, options, Cancellation)).Value;
        return new()
        {
            ["finish"] = Wire(first.FinishReason),
            ["called"] = call.FunctionName,
            ["arguments"] = JsonNode.Parse(call.FunctionArguments.ToString()),
            ["text"] = second.Content[0].Text,
        };
    }

    private static JsonObject Usage(int input, int output) => new() { ["input"] = input, ["output"] = output };

    private static string Wire(ChatFinishReason reason) => JsonNamingPolicy.SnakeCaseLower.ConvertName(reason.ToString());

    private static string? RequestId(PipelineResponse response) => response.Headers.TryGetValue("x-request-id", out var id) ? id : null;

    private sealed class SentRequests : PipelinePolicy
    {
        private int count;

        public int Count => count;

        public string? LastRequestId { get; private set; }

        public override void Process(PipelineMessage message, IReadOnlyList<PipelinePolicy> pipeline, int currentIndex)
        {
            Interlocked.Increment(ref count);
            ProcessNext(message, pipeline, currentIndex);
            Note(message);
        }

        public override async ValueTask ProcessAsync(PipelineMessage message, IReadOnlyList<PipelinePolicy> pipeline, int currentIndex)
        {
            Interlocked.Increment(ref count);
            await ProcessNextAsync(message, pipeline, currentIndex);
            Note(message);
        }

        private void Note(PipelineMessage message) => LastRequestId = message.Response is { } response ? RequestId(response) : null;
    }
}
