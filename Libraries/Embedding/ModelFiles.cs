using System.Security.Cryptography;

namespace LlmMarketplace.Embedding;

/// <summary>The two files that decide every number, read once and checked before use: what is hashed is what is loaded.</summary>
internal static class ModelFiles
{
    private const string ModelSha256 = "8199be6f699a395f99f89df973f9dc5285fbcfcdb2ae1a4e1201dab014f3d2a6";
    private const string VocabularySha256 = "07eced375cec144d27c900241f3e339478dec958f92fddbc551f295c992038a3";

    public static byte[] ReadModel(string directory) => Read(directory, "model.onnx", ModelSha256);

    public static byte[] ReadVocabulary(string directory) => Read(directory, "vocab.txt", VocabularySha256);

    private static byte[] Read(string directory, string name, string expected)
    {
        var path = Path.Combine(directory, name);
        byte[] content;
        try
        {
            content = File.ReadAllBytes(path);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new EmbeddingModelException(
                $"The embedding model's file {path} cannot be read ({e.Message}). It comes with the repository in models/all-MiniLM-L6-v2 and the build copies it; build again, or point Embedding:Directory to it.", e);
        }

        var actual = Convert.ToHexStringLower(SHA256.HashData(content));
        return actual == expected
            ? content
            : throw new EmbeddingModelException(
                $"The embedding model's file {path} is not the one this program was written for: its SHA-256 is {actual}, expected {expected} ({content.Length} bytes). Restore it with `git checkout -- models/all-MiniLM-L6-v2` and build again.");
    }
}
