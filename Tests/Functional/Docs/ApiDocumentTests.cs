using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;
using LlmMarketplace.Servers;
using Microsoft.OpenApi;
using Microsoft.OpenApi.Reader;

namespace LlmMarketplace.Functional.Docs;

/// <summary>What <c>/docs</c> shows is what <c>docs/api</c> holds. <c>eng/api-documents</c> writes the files anew.</summary>
public sealed class ApiDocumentTests(SharedMarketplace marketplace)
{
    private const string WriteAnew = "WRITE_API_DOCUMENTS";
    private static readonly JsonSerializerOptions Indented = new() { WriteIndented = true, NewLine = "\n", Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    public static TheoryData<string> Documents => ["gateway", "identity", "publishing", "discovery", "admin", "consumption"];

    [Theory]
    [MemberData(nameof(Documents))]
    public async Task A_document_is_as_it_was_committed(string name)
    {
        var now = await DocumentAsync(name);
        var file = Path.Combine(RepositoryRoot.Path, "docs", "api", name + ".json");
        if (Environment.GetEnvironmentVariable(WriteAnew) == "1")
        {
            await File.WriteAllTextAsync(file, now, TestContext.Current.CancellationToken);
        }

        var committed = File.Exists(file) ? await File.ReadAllTextAsync(file, TestContext.Current.CancellationToken) : "";
        Assert.True(committed == now, $"docs/api/{name}.json is not what /docs/{name}.json says: run eng/api-documents, read the difference, and commit it.");
    }

    [Theory]
    [MemberData(nameof(Documents))]
    public async Task A_document_is_valid_OpenAPI_and_says_what_each_operation_does_and_answers(string name)
    {
        var result = OpenApiDocument.Parse(await DocumentAsync(name), OpenApiConstants.Json, new OpenApiReaderSettings());

        Assert.Empty(result.Diagnostic!.Errors);
        Assert.Empty(result.Diagnostic.Warnings);
        Assert.Equal(OpenApiSpecVersion.OpenApi3_1, result.Diagnostic.SpecificationVersion);
        Assert.Equal(["apiKey", "token"], result.Document!.Components!.SecuritySchemes!.Keys.Order());
        var operations = result.Document.Paths.SelectMany(path => path.Value.Operations!.Values).ToArray();
        Assert.Distinct(operations.Select(operation => operation.OperationId));
        foreach (var (path, operation) in result.Document.Paths.SelectMany(path => path.Value.Operations!.Values.Select(operation => (path.Key, operation))))
        {
            Assert.False(string.IsNullOrWhiteSpace(operation.Summary), $"{path} has no summary.");
            Assert.False(string.IsNullOrWhiteSpace(operation.OperationId), $"{path} has an operation without a name.");
            Assert.NotEmpty(operation.Security ?? []);
            Assert.NotEmpty(operation.Tags ?? new HashSet<OpenApiTagReference>());
            Assert.True(operation.Responses!.Keys.Any(status => status is "default" || status.StartsWith('4')), $"{path} says nothing of refusals.");
            Assert.All(operation.Parameters ?? [], parameter =>
            {
                Assert.True(parameter.In == ParameterLocation.Header || char.IsLower(parameter.Name![0]), $"{path} has the parameter {parameter.Name}.");
                Assert.False(string.IsNullOrWhiteSpace(parameter.Description), $"{path} does not say what {parameter.Name} is.");
            });
        }
    }

    [Theory]
    [InlineData("consumption", "CreateKeyRequest")]
    [InlineData("consumption", "PutAliasRequest", "target")]
    [InlineData("consumption", "Budget", "amount", "currency", "period")]
    [InlineData("identity", "NewOrganisation", "slug", "name")]
    [InlineData("publishing", "CreateListingRequest", "name", "visibility")]
    public async Task Of_a_request_only_what_has_to_be_there_is_required(string name, string schema, params string[] required)
    {
        var result = OpenApiDocument.Parse(await DocumentAsync(name), OpenApiConstants.Json, new OpenApiReaderSettings());

        Assert.Equal(required.Order(), (result.Document!.Components!.Schemas![schema].Required ?? new HashSet<string>()).Order());
    }

    private async Task<string> DocumentAsync(string name)
    {
        using var client = new HttpClient { BaseAddress = (await marketplace.StartedAsync()).Process.Facts.Url };
        return JsonNode.Parse(await client.GetStringAsync($"/docs/{name}.json", TestContext.Current.CancellationToken))!.ToJsonString(Indented) + "\n";
    }
}
