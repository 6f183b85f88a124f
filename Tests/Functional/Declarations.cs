using System.Text.Json.Nodes;

namespace LlmMarketplace.Functional;

/// <summary>Declarations of services.</summary>
internal static class Declarations
{
    /// <summary>A chat model of the scripted provider: 2 USD a million tokens in, 6 out, 1 for cached ones.</summary>
    public static JsonObject Chat(string model) => new()
    {
        ["version"] = "1.0.0",
        ["description"] = $"A chat model whose answers a test decides ({model}).",
        ["category"] = "text-generation",
        ["tags"] = new JsonArray("scripted"),
        ["capabilities"] = new JsonArray(new JsonObject { ["name"] = "chat", ["description"] = "Answers a conversation.", ["parameters"] = null }),
        ["endpoint"] = new JsonObject { ["url"] = ScriptedModel.Endpoint, ["protocol"] = "openai", ["authentication"] = "api-key", ["secret"] = ScriptedModel.ApiKey },
        ["model"] = new JsonObject
        {
            ["id"] = model,
            ["contextWindow"] = 8192,
            ["maxOutputTokens"] = 100,
            ["inputModalities"] = new JsonArray("text"),
            ["outputModalities"] = new JsonArray("text"),
            ["tools"] = false,
            ["structuredOutput"] = false,
            ["knowledgeCutoff"] = null,
        },
        ["pricing"] = Pricing("per-token", "1m-tokens", 2m, 6m, 1m),
        ["sla"] = new JsonObject { ["availability"] = 99.0m, ["maxLatencyMs"] = 1000, ["timeoutMs"] = 30000, ["supportLevel"] = "basic" },
        ["compliance"] = new JsonObject { ["level"] = "public", ["certifications"] = new JsonArray(), ["dataResidency"] = new JsonArray(), ["gdpr"] = true, ["hipaa"] = false },
        ["documentation"] = null,
        ["examples"] = new JsonArray(),
    };

    /// <summary>A service of the scripted provider that is described by an OpenAPI document: 0.25 USD a call.</summary>
    public static JsonObject Rest(string model)
    {
        var declaration = Chat(model);
        declaration["endpoint"]!["protocol"] = "rest";
        declaration["pricing"] = Pricing("per-request", "request", 0.25m);
        declaration["openApi"] = JsonNode.Parse(
            """
            { "openapi": "3.1.0", "info": { "title": "Texts", "version": "1" },
              "paths": { "/texts/{language}": { "post": {
                "operationId": "translate",
                "parameters": [ { "name": "language", "in": "path", "required": true, "schema": { "type": "string" } } ],
                "requestBody": { "required": true, "content": { "application/json": { "schema": { "$ref": "#/components/schemas/Text" } } } },
                "responses": { "200": { "description": "The translation" } } } } },
              "components": { "schemas": { "Text": { "type": "object", "required": [ "model", "text" ], "properties": { "model": { "type": "string" }, "text": { "type": "string" } } } } } }
            """);
        return declaration;
    }

    public static JsonObject Pricing(string model, string unit, decimal input, decimal? output = null, decimal? cached = null) => new()
    {
        ["model"] = model,
        ["currency"] = "USD",
        ["rates"] = new JsonArray(new JsonObject { ["tier"] = "default", ["unit"] = unit, ["input"] = input, ["output"] = output, ["cachedInput"] = cached }),
    };

    public static JsonObject Budget(decimal amount) => new() { ["amount"] = amount, ["currency"] = "USD", ["period"] = "total" };
}
