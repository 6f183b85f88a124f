using System.Text.Json.Nodes;

namespace LlmMarketplace.Publishing.Tests;

/// <summary>Declarations that keep every rule, for tests to break in one place.</summary>
public static class Declarations
{
    public static JsonObject Embeddings(string version = "1.0.0") => JsonNode.Parse(
        $$"""
        {
          "version": "{{version}}",
          "description": "Turns text into vectors.",
          "category": "embeddings",
          "tags": ["embeddings", "search"],
          "capabilities": [{
            "name": "embed", "description": "Embeds texts.",
            "parameters": { "type": "object", "properties": { "input": { "type": "string", "minLength": 1 } }, "required": ["input"] }
          }],
          "endpoint": { "url": "https://api.example.com/v1", "protocol": "openai", "authentication": "api-key", "secret": "sk-very-secret" },
          "model": { "id": "minilm", "contextWindow": 512, "maxOutputTokens": null, "inputModalities": ["text"], "outputModalities": ["embedding"], "tools": false, "structuredOutput": false, "knowledgeCutoff": null },
          "pricing": { "model": "per-token", "currency": "USD", "rates": [{ "tier": "default", "unit": "1m-tokens", "input": 0.02, "output": null, "cachedInput": null }] },
          "sla": { "availability": 99.5, "maxLatencyMs": 2000, "timeoutMs": 10000, "supportLevel": "basic" },
          "compliance": { "level": "public", "certifications": ["SOC2"], "dataResidency": ["US"], "gdpr": false, "hipaa": false },
          "documentation": "# Embeddings",
          "examples": [{ "title": "One text", "request": { "input": "hello" }, "response": null }]
        }
        """)!.AsObject();

    public static JsonObject NeedsApproval(string version = "1.0.0")
    {
        var declaration = Embeddings(version);
        declaration["compliance"]!["level"] = "confidential";
        return declaration;
    }

    public static JsonObject OpenApi() => JsonNode.Parse(
        """
        { "openapi": "3.1.0", "info": { "title": "Embeddings", "version": "1" },
          "paths": { "/embeddings": { "post": { "responses": { "200": { "description": "Vectors" } } } } } }
        """)!.AsObject();
}
