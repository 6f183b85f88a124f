using LlmMarketplace.Publishing.Contracts;
using LlmMarketplace.Servers;

namespace LlmMarketplace.Consumption.Tests.Invoking;

/// <summary>A shop whose service is of the protocol <c>rest</c>, with an API that translates texts.</summary>
internal static class RestShop
{
    public const string Api =
        """
        { "openapi": "3.1.0", "info": { "title": "Texts", "version": "1" },
          "paths": {
            "/texts/{language}": {
              "parameters": [ { "$ref": "#/components/parameters/Language" } ],
              "post": {
                "operationId": "translate",
                "parameters": [
                  { "name": "formal", "in": "query", "schema": { "type": "boolean" } },
                  { "name": "tag", "in": "query", "schema": { "type": "array", "items": { "type": "string" }, "maxItems": 3 } },
                  { "name": "ids", "in": "query", "explode": false, "schema": { "type": "array", "items": { "type": "integer" } } },
                  { "name": "X-Style", "in": "header", "schema": { "type": "string" } },
                  { "name": "Authorization", "in": "header", "required": true, "schema": { "type": "string" } } ],
                "requestBody": { "required": true, "content": { "application/json": { "schema": { "$ref": "#/components/schemas/Text" } } } },
                "responses": { "200": { "description": "The translation" } } } },
            "/jobs/{id}": { "get": { "operationId": "job", "parameters": [ { "name": "id", "in": "path", "required": true, "schema": { "type": "string" } } ], "responses": { "200": { "description": "A job" } } } },
            "/mirrors": { "post": { "operationId": "mirror", "requestBody": { "content": { "application/json": { "schema": { "$ref": "#/components/schemas/Endless" } } } }, "responses": { "200": { "description": "Ok" } } } },
            "/trees": { "post": { "operationId": "tree", "requestBody": { "content": { "application/json": { "schema": { "$ref": "#/components/schemas/Doubling" } } } }, "responses": { "200": { "description": "Ok" } } } },
            "/names": { "post": { "operationId": "names", "requestBody": { "content": { "application/json": { "schema": { "propertyNames": { "$ref": "#/components/schemas/Endless" } } } } }, "responses": { "200": { "description": "Ok" } } } },
            "/patterns": { "post": { "operationId": "pattern", "requestBody": { "content": { "application/json": { "schema": { "type": "string", "pattern": "^(a+)+$" } } } }, "responses": { "200": { "description": "Ok" } } } },
            "/files": { "post": { "operationId": "upload", "requestBody": { "content": { "multipart/form-data": { "schema": { "type": "object" } } } }, "responses": { "200": { "description": "Ok" } } } } },
          "components": {
            "parameters": { "Language": { "name": "language", "in": "path", "required": true, "schema": { "type": "string", "minLength": 2 } } },
            "schemas": {
              "Text": { "type": "object", "required": [ "text" ], "additionalProperties": false,
                "properties": { "text": { "type": "string", "minLength": 1 }, "tone": { "$ref": "#/components/schemas/Tone" }, "parts": { "type": "array", "items": { "$ref": "#/components/schemas/Text" } } } },
              "Tone": { "oneOf": [ { "const": "plain" }, { "type": "object", "required": [ "warmth" ] } ] },
              "Endless": { "allOf": [ { "$ref": "#/components/schemas/Endless" } ] },
              "Doubling": { "allOf": [ { "properties": { "x": { "$ref": "#/components/schemas/Doubling" } } }, { "properties": { "x": { "$ref": "#/components/schemas/Doubling" } } } ] } } } }
        """;

    public static async Task<Shop> OpenAsync(Marketplace marketplace, Func<ReceivedCall, Task> answer, ServicePricing? pricing = null, object? key = null)
    {
        var shop = await Shop.OpenAsync(marketplace, answer, pricing, key: key, endpoint: endpoint => endpoint with { Protocol = EndpointProtocol.Rest });
        await marketplace.TellAsync(new OpenApiDocumentPublished(shop.Listing.Versions[0].VersionId, shop.Listing.ListingId, "", Api));
        return shop;
    }

    public static Task<HttpResponseMessage> InvokeAsync(this Shop shop, string body, HttpClient? client = null) =>
        (client ?? shop.Client).PostJsonAsync($"/api/v1/services/{shop.Listing.ListingId}/invoke", body);

    /// <summary>Where and what the problem's issues are, in their order.</summary>
    public static async Task<string[]> IssuesAsync(this HttpResponseMessage answer) =>
        [.. (await answer.JsonAsync()).GetProperty("issues").EnumerateArray().Select(issue => $"{issue.Text("code")} {issue.Text("path")}")];
}
